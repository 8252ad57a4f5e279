/**
 * Who sends a request to a Connect app: finds the one token, the tenant it names, verifies it by the route's policy. Nothing
 * is bound or stored here. Signed installs (RS256) have a file of their own.
 *
 * The tenant is the issuer of the verified token and nothing else: no audience, no `xdm_e`, no parameter.
 */

import type { KeyObject } from 'node:crypto'
import type { DialectDeps } from '../../core/dialect.ts'
import { isPartywallError, PartywallError } from '../../core/errors.ts'
import { type IdentityKey, type IdentityRecord, isLive } from '../../core/tenant.ts'
import type { RequestView } from '../../http/view.ts'
import { type DecodedJws, decodeJws } from '../../wire/jws.ts'
import { type CheckedClaims, claimedIssuer, verifyHostToken, wrongClaim } from '../../wire/jwt.ts'
import { formBodyHash, queryStringHash } from '../../wire/qsh.ts'
import { isSessionToken } from '../../wire/session-token.ts'
import { queryOf } from '../../wire/target.ts'
import { findToken, type TokenCarrier } from '../../wire/token-carrier.ts'
import { deepFreeze } from '../common/frozen-json.ts'
import type { Principal } from '../common/principal.ts'
import { keysOf, prove, proveSession } from '../common/prove.ts'
import type { ProvedToken, ProvedTokens } from '../common/proved-tokens.ts'
import type { ConnectSettings } from './options.ts'
import { previousKeyOf } from './secret-overlap.ts'

/**
 * Which tokens a route takes (protocol s. 4.4); there is no third.
 *
 * - `request`: the product's own, made for this method, path and query: pages, webhooks, macros, remote conditions
 * - `context`: the browser bridge's, which fit any address but name a user, and our session tokens: an app's own API
 */
export type TokenPolicy = 'request' | 'context'

export interface PrincipalDeps extends Pick<DialectDeps, 'registry' | 'clock'> {
  readonly settings: ConnectSettings
  /** Of tokens that come again. */
  readonly proved: ProvedTokens
}

interface Request {
  readonly view: RequestView
  /** Raw body of a form. */
  readonly form: string | undefined
}

const CARRIERS: Readonly<Record<TokenPolicy, readonly TokenCarrier[]>> = {
  request: ['query:jwt', 'form:jwt', 'authorization'],
  context: ['query:jwt', 'form:jwt', 'authorization', 'x-acpt'],
}
const CONTEXT_QSH = 'context-qsh'
const FORM_TYPE = /^application\/x-www-form-urlencoded(?:[\t ]*;.*)?$/i

export const identityKey = (settings: ConnectSettings, externalId: string): IdentityKey => ({
  app: settings.key,
  environment: settings.environment,
  dialect: 'connect',
  externalId,
})

/**
 * Verifies a request; without waiting where the registry's cache may answer.
 *
 * @param isAcceptable which states of an installation may pass; default: the live ones
 * @throws PartywallError with status 401 and one public sentence, whatever is wrong; ERR_STORE_UNAVAILABLE; what reading the
 *   body of a form throws
 */
export function authenticate(
  view: RequestView,
  deps: PrincipalDeps,
  policy: TokenPolicy,
  isAcceptable: (identity: IdentityRecord) => boolean = isLive,
): Principal | Promise<Principal> {
  const check = (form: string | undefined) => checkRequest({ view, form }, deps, policy, isAcceptable)
  return hasForm(view) ? view.body().then(body => check(body.toString('utf8'))) : check(undefined)
}

function checkRequest(
  request: Request,
  deps: PrincipalDeps,
  policy: TokenPolicy,
  isAcceptable: (identity: IdentityRecord) => boolean,
): Principal | Promise<Principal> {
  const { view, form } = request
  const source = { query: queryOf(view.target), form, headerValues: (name: string) => view.headerValues(name) }
  const { token } = findToken(source, CARRIERS[policy])
  const sighting = isRepeatable(request, policy) ? deps.proved.look(token) : undefined
  const known = sighting?.known
  if (known !== undefined && stillHolds(known, request, deps, policy) && isAcceptable(known.identity))
    return known.principal
  const jws = decodeJws(token)
  const isSession = isSessionToken(jws)
  if (isSession && policy !== 'context') throw new PartywallError('ERR_TOKEN_TYPE')
  const key = identityKey(deps.settings, claimedIssuer(jws.claims))
  return prove(jws, key, deps.registry, identity => {
    const principal = isSession ? proveSession(jws, identity, deps) : fromProduct(jws, identity, deps, request, policy)
    // After the signature, so that nobody without the secret learns which installations have ended.
    if (!isAcceptable(identity)) throw new PartywallError('ERR_TENANT_DISABLED')
    // While a replaced secret still verifies, the token may be of that one, and ends with it.
    const isOfOneSecret = previousKeyOf(identity, deps.clock.now(), deps.settings) === undefined
    if (!isSession && sighting !== undefined && isOfOneSecret) {
      sighting.keep({ principal, identity, policy, target: policy === 'request' ? view.target : undefined })
    }
    return principal
  })
}

/** Pages are shown again, and the bridge hands out one token for several calls; deliveries come once. */
const isRepeatable = ({ view, form }: Request, policy: TokenPolicy): boolean =>
  form === undefined && (policy === 'context' || view.method === 'GET')

/** Whatever may have changed since: the request, the time, the tenant. A record that is not at hand any more proves nothing. */
function stillHolds(
  { principal, identity, policy: provedFor, target }: ProvedToken,
  { view }: Request,
  { registry, clock, settings }: PrincipalDeps,
  policy: TokenPolicy,
): boolean {
  return (
    provedFor === policy &&
    // The method is GET for all of them.
    (target === undefined || target === view.target) &&
    principal.expiresAt + settings.leewaySeconds > clock.now() / 1000 &&
    registry.peek(identity) === identity
  )
}

function fromProduct(
  jws: DecodedJws,
  identity: IdentityRecord,
  { settings, clock }: PrincipalDeps,
  request: Request,
  policy: TokenPolicy,
): Principal {
  const verifyBy = (key: KeyObject | undefined) =>
    verifyHostToken(
      jws,
      { algorithm: 'HS256', key },
      { now: clock.now() / 1000, leewaySeconds: settings.leewaySeconds },
    )
  const claims = verifyByEither(verifyBy, keysOf(identity).host, () => previousKeyOf(identity, clock.now(), settings))
  if (claims.issuedAt === undefined) throw wrongClaim('iat')
  if (policy === 'request') checkQueryHash(claims, request.view, request.form, settings)
  else if (claims.qsh !== CONTEXT_QSH) throw new PartywallError('ERR_QSH_MISMATCH')
  return {
    identity,
    token: jws.token,
    issuedAt: claims.issuedAt,
    expiresAt: claims.expiresAt,
    tokenId: claims.tokenId,
    userId: claims.subject,
    // Shared by all requests of this token.
    context: claims.context && deepFreeze(claims.context),
    session: undefined,
  }
}

function verifyByEither(
  verify: (key: KeyObject | undefined) => CheckedClaims,
  key: KeyObject | undefined,
  previousKey: () => KeyObject | undefined,
): CheckedClaims {
  try {
    return verify(key)
  } catch (error) {
    const previous = isPartywallError(error, 'ERR_TOKEN_SIGNATURE') ? previousKey() : undefined
    if (previous === undefined) throw error
    return verify(previous)
  }
}

/**
 * The claim must be the hash of this very request, below our base URL or that of a realm.
 * @throws PartywallError ERR_QSH_MISSING, ERR_QSH_MISMATCH
 */
export function checkQueryHash(
  { qsh }: Pick<CheckedClaims, 'qsh'>,
  { method, target }: Pick<RequestView, 'method' | 'target'>,
  form: string | undefined,
  { basePaths }: Pick<ConnectSettings, 'basePaths'>,
): void {
  if (qsh === undefined) throw new PartywallError('ERR_QSH_MISSING')
  const isRight = basePaths.some(basePath => {
    const request = { method, target, basePath }
    return qsh === queryStringHash(request) || (form !== undefined && qsh === formBodyHash(request, form))
  })
  if (!isRight) throw new PartywallError('ERR_QSH_MISMATCH')
}

/** Two content types are never right, and what a form in another method would carry no product sends. */
function hasForm(view: RequestView): boolean {
  if (view.method !== 'POST' && view.method !== 'PUT') return false
  const types = view.headerValues('content-type')
  return types.length === 1 && FORM_TYPE.test(types[0] ?? '')
}
