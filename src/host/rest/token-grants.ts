/** The grants of the token endpoint: what each wants of a request, and what rights it gives. */

import type { ParsedTokenRequest } from '../../wire/oauth2-server.ts'
import { scopesWithin } from '../clients/authorize.ts'
import type { Grant } from '../clients/grants.ts'
import type { Installation } from '../clients/installation.ts'
import type { TokenRights } from '../clients/tokens.ts'
import { ApiError } from '../server/api-error.ts'
import type { HostState } from '../state.ts'

export interface Granted {
  readonly rights: TokenRights
  /** For user tokens. */
  readonly refreshToken: string | undefined
}

/** @throws ApiError 400 of type `unsupported_grant_type`, `invalid_grant` or `invalid_scope` */
export function grant(state: HostState, installation: Installation, request: ParsedTokenRequest): Granted {
  switch (request.grantType) {
    case 'client_credentials': {
      const scopes = narrow(request, installation.descriptor.scopes)
      return { rights: { installation, scopes, user: undefined }, refreshToken: undefined }
    }
    case 'authorization_code': {
      const { fields } = request
      const granted = state.grants.useCode(installation, fields.get('code') ?? '', fields.get('redirect_uri'))
      if (granted === undefined) throw refused('The code is unknown, used, too old, or was given for another address.')
      return { rights: granted, refreshToken: state.grants.issueRefreshToken(granted) }
    }
    case 'refresh_token': {
      const value = request.fields.get('refresh_token') ?? ''
      return { rights: refreshed(state, installation, request, value), refreshToken: value }
    }
    default:
      throw new ApiError(
        400,
        'unsupported_grant_type: this host grants client_credentials, authorization_code and refresh_token.',
        {},
        'unsupported_grant_type',
      )
  }
}

function refreshed(
  state: HostState,
  installation: Installation,
  request: ParsedTokenRequest,
  value: string,
): TokenRights {
  const granted: Grant | undefined = state.grants.findRefreshToken(installation, value)
  if (granted === undefined) throw refused('The refresh token is unknown.')
  return { ...granted, scopes: narrow(request, granted.scopes) }
}

function narrow(request: ParsedTokenRequest, allowed: TokenRights['scopes']): TokenRights['scopes'] {
  const scopes = scopesWithin(request.scopes, allowed)
  if (scopes === undefined) throw new ApiError(400, 'A scope goes beyond what was granted.', {}, 'invalid_scope')
  return scopes
}

const refused = (message: string) => new ApiError(400, message, {}, 'invalid_grant')
