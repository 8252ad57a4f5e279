/** Where apps exchange a signed assertion for a bearer token of a user (protocol s. 9.2), and Bitbucket's token swap (s. 4.7). */

import { decodeJws, verifyJws } from '../../../wire/jws.ts'
import { checkClaims } from '../../../wire/jwt.ts'
import { type ParsedTokenRequest, parseTokenRequest } from '../../../wire/oauth2-server.ts'
import { isCoded } from '../../coded-error.ts'
import { ApiError } from '../../server/api-error.ts'
import type { Call, Reply } from '../../server/reply.ts'
import type { ConnectInstallation } from '../apps/installation.ts'
import { type ConnectScopeName, includesScope, SCOPES } from '../apps/scopes.ts'
import { verifyAppToken } from '../rest/access.ts'
import type { ConnectUser } from '../sites/user.ts'
import type { ConnectRoute, ConnectState } from '../state.ts'

const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const BITBUCKET_JWT = 'urn:bitbucket:oauth2:jwt'
const CLIENT = 'urn:atlassian:connect:clientid:'
const ACCOUNT = 'urn:atlassian:connect:useraccountid:'
const TOKEN_SECONDS = 900
const MAX_ASSERTION_SECONDS = 60

export const tokenRoutes = (state: ConnectState): ConnectRoute[] => [
  { method: 'POST', path: '/oauth2/token', handle: call => answer(() => exchange(state, call)) },
  { method: 'POST', path: '/site/oauth2/access_token', handle: call => answer(() => swap(state, call)) },
]

/** RFC 6749 s. 5.2. */
class GrantError extends Error {
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.name = 'GrantError'
    this.code = code
  }
}

async function answer(work: () => Promise<Reply>): Promise<Reply> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof GrantError) return refusal(error.code, error.message)
    if (isCoded(error)) return refusal('invalid_request', error.message)
    throw error
  }
}

const refusal = (error: string, description: string): Reply => ({
  status: 400,
  json: { error, error_description: description },
})

async function exchange(state: ConnectState, call: Call<ConnectInstallation>): Promise<Reply> {
  const request = readRequest(call, JWT_BEARER)
  const { installation, user } = readAssertion(state, request.fields.get('assertion') ?? '')
  call.installation = installation
  return state.faults.apply('token', installation.clientKey, () => {
    if (!installation.descriptor.scopes.includes('ACT_AS_USER')) {
      throw new GrantError('unauthorized_client', 'The app does not have the scope ACT_AS_USER.')
    }
    return issue(state, installation, user, scopesOf(installation, request.scopes))
  })
}

async function swap(state: ConnectState, call: Call<ConnectInstallation>): Promise<Reply> {
  const request = readRequest(call, BITBUCKET_JWT)
  const token = /^JWT (.+)$/.exec(call.header('authorization') ?? '')?.[1] ?? ''
  const { sub } = decodeJws(token).claims
  const site = [...state.sites.values()].find(({ bitbucket }) => bitbucket.clientKey === sub)
  if (site === undefined) throw new ApiError(401, 'The token names no tenant.')
  const installation = verifyAppToken(state, site.bitbucket, token, call)
  call.installation = installation
  return state.faults.apply('token', installation.clientKey, () =>
    issue(state, installation, undefined, scopesOf(installation, request.scopes)),
  )
}

function readRequest(call: Call<ConnectInstallation>, grantType: string): ParsedTokenRequest {
  const request = parseTokenRequest(call.header('content-type'), call.body)
  if (request.grantType !== grantType) throw new GrantError('unsupported_grant_type', request.grantType)
  return request
}

/** Every claim counts: issuer, user, tenant, audience, and a life of a minute. */
function readAssertion(state: ConnectState, assertion: string) {
  const jws = decodeJws(assertion)
  const { iss, tnt } = jws.claims
  const installation = state.installs.find(one => one.isInstalled && `${CLIENT}${one.oauthClientId}` === iss)
  verifyJws(jws, { algorithm: 'HS256', key: installation?.sharedSecret })
  const claims = checkClaims(jws.claims, { now: Math.floor(state.clock.now() / 1000) })
  const { issuedAt, expiresAt, subject = '' } = claims
  if (issuedAt === undefined || expiresAt - issuedAt > MAX_ASSERTION_SECONDS) throw invalid('lives too long')
  if (!claims.audience.includes(state.url)) throw invalid('is for another audience')
  if (installation === undefined || tnt !== installation.baseUrl) throw invalid('is of another tenant')
  const accountId = subject.startsWith(ACCOUNT) ? subject.slice(ACCOUNT.length) : ''
  const user = installation.product.site.users.get(accountId)
  if (user === undefined || user.accountStatus === 'closed') throw invalid('names no user of this site')
  return { installation, user }
}

const invalid = (why: string): GrantError => new GrantError('invalid_grant', `The assertion ${why}.`)

function scopesOf(installation: ConnectInstallation, asked: readonly string[] | undefined): ConnectScopeName[] {
  const granted = installation.descriptor.scopes
  if (asked === undefined) return [...granted]
  const scopes = SCOPES.filter(scope => asked.includes(scope))
  if (scopes.length < asked.length || scopes.some(scope => !includesScope(granted, scope))) {
    throw new GrantError('invalid_scope', 'The app does not have these scopes.')
  }
  return scopes
}

function issue(
  state: ConnectState,
  installation: ConnectInstallation,
  user: ConnectUser | undefined,
  scopes: readonly ConnectScopeName[],
): Reply {
  const token = state.accessTokens.issue({ installation, user, scopes }, TOKEN_SECONDS)
  return {
    status: 200,
    headers: { 'cache-control': 'no-store' },
    json: { access_token: token, token_type: 'Bearer', expires_in: TOKEN_SECONDS, scope: scopes.join(' ') },
  }
}
