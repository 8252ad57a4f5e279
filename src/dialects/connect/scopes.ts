/**
 * A local check of what the descriptor declares, so that a missing scope is told before anything leaves and in words of the
 * descriptor. The product decides; a call that needs another scope than its method stands for says so.
 */

import { PartywallError } from '../../core/errors.ts'
import type { ProductMethod } from './call-request.ts'
import type { ConnectScope, ConnectSettings } from './options.ts'

/** Each of them implies the lesser ones; the two administrators' scopes do not imply each other. */
const IMPLIED: Readonly<Partial<Record<ConnectScope, readonly ConnectScope[]>>> = {
  WRITE: ['READ'],
  DELETE: ['READ', 'WRITE'],
  PROJECT_ADMIN: ['READ', 'WRITE', 'DELETE'],
  SPACE_ADMIN: ['READ', 'WRITE', 'DELETE'],
  ADMIN: ['READ', 'WRITE', 'DELETE', 'PROJECT_ADMIN', 'SPACE_ADMIN'],
}
const OF_METHOD: Readonly<Record<ProductMethod, ConnectScope>> = {
  GET: 'READ',
  HEAD: 'READ',
  POST: 'WRITE',
  PUT: 'WRITE',
  PATCH: 'WRITE',
  DELETE: 'DELETE',
}
/** The app's own state, properties and modules, which need none. */
const OWN_API = /^(?:\/wiki)?\/rest\/atlassian-connect\//

/** @throws PartywallError ERR_SCOPE_UNDECLARED */
export function checkMethodScope(
  settings: ConnectSettings,
  method: ProductMethod,
  url: URL,
  needed: ConnectScope | undefined,
): void {
  // Bitbucket's scopes have names of their own, which the descriptor's modules do not map to methods.
  if (settings.family === 'bitbucket') return
  const scope = needed ?? (OWN_API.test(url.pathname) ? 'NONE' : OF_METHOD[method])
  requireScope(settings, scope)
}

/** @throws PartywallError ERR_SCOPE_UNDECLARED */
export function requireScope({ scopes }: Pick<ConnectSettings, 'scopes'>, scope: ConnectScope): void {
  if (scope === 'NONE' || scopes.some(declared => declared === scope || IMPLIED[declared]?.includes(scope))) return
  throw new PartywallError('ERR_SCOPE_UNDECLARED', {
    message: `the descriptor does not declare the scope ${scope}; add it to the app's scopes`,
    details: { scope },
  })
}
