/** Who calls the product: an app by a signed token, or by a bearer token of its own or of one of its users. Refuses everything else. */

import { decodeJws, verifyJws } from '../../../wire/jws.ts'
import { checkClaims } from '../../../wire/jwt.ts'
import { queryStringHash } from '../../../wire/qsh.ts'
import { isCoded } from '../../coded-error.ts'
import { ApiError } from '../../server/api-error.ts'
import type { Call } from '../../server/reply.ts'
import type { ConnectInstallation } from '../apps/installation.ts'
import { type ConnectScopeName, includesScope } from '../apps/scopes.ts'
import type { Product } from '../sites/product.ts'
import type { ConnectUser } from '../sites/user.ts'
import type { ConnectState } from '../state.ts'

export interface Caller {
  /** Of a Connect app; a Forge app has none here. */
  readonly installation: ConnectInstallation | undefined
  /** Key of a Connect app, id of a Forge app. */
  readonly appKey: string
  readonly appName: string
  readonly scopes: readonly ConnectScopeName[]
  /** Whom the app acts as. */
  readonly user: ConnectUser | undefined
}

type IncomingCall = Pick<Call<ConnectInstallation>, 'method' | 'target' | 'header' | 'body'>

/** @throws ApiError 401 · 403 for a GET with a body, as the products do */
export function callerOf(state: ConnectState, product: Product, call: IncomingCall): Caller {
  if (call.method === 'GET' && call.body.length > 0) throw new ApiError(403, 'A GET must not have a body.')
  const [scheme = '', token = ''] = (call.header('authorization') ?? '').split(' ')
  if (scheme === 'JWT') return { ...appOf(state, product, call, token), user: undefined }
  if (scheme === 'Bearer') return forgeCallerOf(state, product, token) ?? bearerOf(state, product, token)
  throw unauthorized('Client must be authenticated to access this resource.')
}

/** @throws ApiError 403 */
export function needScope({ scopes }: Caller, scope: ConnectScopeName): void {
  if (!includesScope(scopes, scope)) throw new ApiError(403, `The app does not have the scope ${scope}.`)
}

function appOf(state: ConnectState, product: Product, call: IncomingCall, token: string) {
  const installation = verifyAppToken(state, product, token, call)
  return { ...named(installation), scopes: installation.descriptor.scopes }
}

const named = (installation: ConnectInstallation) => ({
  installation,
  appKey: installation.appKey,
  appName: installation.descriptor.name,
})

/** @throws ApiError 403 this is for Connect apps, and a Forge app calls */
export function connectInstallation({ installation }: Caller): ConnectInstallation {
  if (installation === undefined) throw new ApiError(403, 'Only a Connect app may do this.')
  return installation
}

/** Account of whoever acts: the user, else the app's own. */
export const authorOf = ({ user, appKey }: Caller): string => user?.accountId ?? `app:${appKey}`

/** Id of the Forge app that calls, `undefined` for a Connect app. */
export const forgeAppOf = ({ installation, appKey }: Caller): string | undefined =>
  installation === undefined ? appKey : undefined

function forgeCallerOf({ forge }: ConnectState, product: Product, text: string): Caller | undefined {
  const token = forge.find(text)
  if (token === undefined) return undefined
  if (token.site !== product.site) throw unauthorized('The access token is of another site.')
  return {
    installation: undefined,
    appKey: token.appId,
    appName: 'A Forge app',
    scopes: token.scopes,
    user: token.user,
  }
}

/** @throws ApiError 401 */
export function verifyAppToken(
  state: ConnectState,
  product: Product,
  token: string,
  { method, target }: Pick<IncomingCall, 'method' | 'target'>,
): ConnectInstallation {
  const { installation, claims } = readToken(state, product, token)
  const hash = queryStringHash({ method, target, basePath: new URL(product.baseUrl).pathname })
  if (hash === undefined || claims.qsh !== hash) throw unauthorized('The query hash does not match the request.')
  if (product.type === 'bitbucket' && claims.subject !== product.clientKey) {
    throw unauthorized('The token does not name its tenant in sub.')
  }
  return installation
}

function readToken(state: ConnectState, product: Product, token: string) {
  try {
    const jws = decodeJws(token)
    const installation = product.installations.get(String(jws.claims.iss))
    const key = installation?.isInstalled === true ? installation.sharedSecret : undefined
    verifyJws(jws, { algorithm: 'HS256', key })
    const claims = checkClaims(jws.claims, { now: Math.floor(state.clock.now() / 1000) })
    if (installation === undefined || claims.issuedAt === undefined) throw unauthorized('The token has no iat.')
    return { installation, claims }
  } catch (error) {
    if (isCoded(error)) throw unauthorized(`The token is refused: ${error.code}.`)
    throw error
  }
}

function bearerOf(state: ConnectState, product: Product, text: string): Caller {
  const token = state.accessTokens.find(text)
  if (token === undefined || token.installation.product !== product || !token.installation.isInstalled) {
    throw unauthorized('The access token is unknown or too old.')
  }
  const { installation, user, scopes } = token
  return { ...named(installation), user, scopes }
}

const unauthorized = (message: string): ApiError =>
  new ApiError(401, message, { 'www-authenticate': 'JWT realm="Atlassian"' })
