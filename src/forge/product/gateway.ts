/**
 * `requestJira`, `requestConfluence`, `requestBitbucket`: as the app, as the person of the call, as a named person, as
 * nobody. Decides whether the
 * app may ask at all; what answers is a back end, and credentials live there.
 */

import { bytesOf, jsonAnswer, platformRefusal } from '../answers.ts'
import type { Caller, GuestRequest, GuestResponse, GuestService, Site } from '../services.ts'
import type { ActingAs, ProductBackend } from './backend.ts'
import { hasScopeFor } from './scopes.ts'

const PRODUCTS: readonly Site['product'][] = ['jira', 'confluence', 'bitbucket']
/** Never passed on: who calls is the platform's to say, and a cookie or a forwarded address would say it too. */
const OWN_HEADERS =
  /^(?:authorization|cookie|host|connection|keep-alive|content-length|transfer-encoding|accept-encoding|te|trailer|upgrade|expect|origin|referer|forwarded|x-forwarded-.*|proxy-.*)$/i

export function createProductGateway(backend: ProductBackend): GuestService {
  return {
    async handle(caller, request) {
      const product = productOf(caller, request)
      if (product === undefined) return refused('the request names no product')
      const path = safePath(request.path)
      if (path === undefined) return refused('the path is not one')
      const as = actingAs(caller, request)
      if (as === 'needs-authentication') return NEEDS_AUTHENTICATION
      if (as === 'no-impersonation') return refused('no scope of the manifest allows impersonation')
      const { scopes } = caller.manifest.permissions
      if (as.kind !== 'nobody' && !hasScopeFor(scopes, product, request.method, path)) return NO_SCOPE
      const answer = await backend.request({
        site: caller.site,
        product,
        appId: caller.appId,
        scopes,
        as,
        method: request.method.toUpperCase(),
        path,
        headers: headersOf(request),
        body: bytesOf(request),
        signal: caller.signal,
      })
      return answer === 'needs-authentication' ? NEEDS_AUTHENTICATION : answer
    },
  }
}

const NEEDS_AUTHENTICATION = platformRefusal(401, 'NEEDS_AUTHENTICATION_ERR', 'nobody is here to act for')
/** As Atlassian's gateway says it. */
const NO_SCOPE = jsonAnswer(401, { code: 401, message: 'Unauthorized; scope does not match' })
const refused = (message: string): GuestResponse => platformRefusal(403, 'PRODUCT_REQUEST_REFUSED', message)

/** By name, or by the place that `withContext` names: which may only be the installation's own. */
function productOf({ site }: Caller, { meta }: GuestRequest): Site['product'] | undefined {
  const { remote, contextAri } = meta
  if (remote !== undefined) return PRODUCTS.find(product => product === remote)
  return contextAri === site.contextAri ? site.product : undefined
}

function actingAs(
  { accountId, manifest }: Caller,
  { meta }: GuestRequest,
): ActingAs | 'needs-authentication' | 'no-impersonation' {
  if (meta.provider === 'app') return { kind: 'app' }
  // The SDK's `requestJira` outside of `asApp` and `asUser`: for what a site shows to everybody.
  if (meta.provider === 'none') return { kind: 'nobody' }
  const named = typeof meta.accountId === 'string' && meta.accountId !== '' ? meta.accountId : undefined
  // Somebody else than the person of the call: the manifest must have said so.
  if (named !== undefined && named !== accountId) {
    return manifest.permissions.impersonation.length > 0 ? { kind: 'user', accountId: named } : 'no-impersonation'
  }
  return accountId === undefined ? 'needs-authentication' : { kind: 'user', accountId }
}

/** Below the site's address and nowhere else, whoever reads it. */
function safePath(given: string): string | undefined {
  const path = given.startsWith('/') ? given : `/${given}`
  if (path.startsWith('//') || /[\\#\s\0]/.test(path) || !URL.canParse(path, 'https://site.invalid')) return undefined
  const url = new URL(path, 'https://site.invalid')
  const [plain] = path.split('?')
  return url.origin === 'https://site.invalid' && url.pathname === plain ? path : undefined
}

function headersOf({ headers, body }: GuestRequest): (readonly [string, string])[] {
  const passed = headers.filter(([name]) => !OWN_HEADERS.test(name))
  const isTyped = passed.some(([name]) => name.toLowerCase() === 'content-type')
  // What the SDK's documentation says of calls that name no type; `fetch` has called a text a text.
  const isPlain = passed.some(([name, value]) => /^content-type$/i.test(name) && value === 'text/plain;charset=UTF-8')
  if (body === undefined || (isTyped && !isPlain)) return passed
  return [...passed.filter(([name]) => !/^content-type$/i.test(name)), ['content-type', 'application/json']]
}
