/** The host's page around an app's page, its scripts, and what they ask of the host. */

import { readFileSync } from 'node:fs'
import { optional, readObject, readText } from '../../fields.ts'
import { ApiError } from '../../server/api-error.ts'
import type { Reply } from '../../server/reply.ts'
import { SCOPES } from '../apps/scopes.ts'
import { orBadRequest, readBody } from '../rest/body.ts'
import type { ConnectRoute, ConnectState } from '../state.ts'
import { placeClaims } from '../tokens/claims.ts'
import { signContext } from '../tokens/sign.ts'
import type { AppView } from './frame.ts'
import { pageUrl } from './page-url.ts'

const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Simulated product</title>
<h1 id="title"></h1>
<main id="frames"></main>
<script src="/frame/frame-bridge.js"></script>
<script src="/frame/frame.js"></script>
</html>
`
const PAGE_HEADERS = {
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'content-security-policy':
    "default-src 'none'; script-src 'self'; connect-src 'self'; frame-src http: https:; frame-ancestors 'none'",
}
const NOT_STORED = { 'cache-control': 'no-store' }
/** Long enough for one call of a page. */
const TOKEN_SECONDS = 60
const MAX_ANSWER_BYTES = 1024 * 1024

export const frameRoutes = (state: ConnectState): ConnectRoute[] => [
  script('/all.js', '../page/all.js'),
  script('/frame/frame.js', '../page/frame.js'),
  script('/frame/frame-bridge.js', '../../page/frame-bridge.js'),
  {
    method: 'GET',
    path: '/frame',
    handle: () => ({ status: 200, headers: PAGE_HEADERS, content: { type: 'text/html; charset=utf-8', body: PAGE } }),
  },
  { method: 'GET', path: '/frame/view', handle: call => describeView(state, viewOf(state, call.query)) },
  {
    method: 'POST',
    path: '/frame/answer',
    handle: async call => {
      const view = viewOf(state, call.query)
      const { name, args } = readBody({ call }, body => ({
        name: readText(body.call, 'call'),
        args: readObject(body.args, 'args'),
      }))
      const give = Object.hasOwn(ANSWERS, name) ? ANSWERS[name] : undefined
      if (give === undefined) throw new ApiError(404, 'The bridge has no such call.')
      return { status: 200, headers: NOT_STORED, json: { result: await give(state, view, args) } }
    },
  },
]

function script(path: string, file: string): ConnectRoute {
  const body = readFileSync(new URL(file, import.meta.url), 'utf8')
  return {
    method: 'GET',
    path,
    handle: () => ({ status: 200, content: { type: 'text/javascript; charset=utf-8', body } }),
  }
}

function viewOf(state: ConnectState, query: URLSearchParams): AppView {
  const view = state.views.find(query.get('view') ?? '')
  if (view === undefined) throw new ApiError(404, 'This page is not open any more.')
  return view
}

function describeView(state: ConnectState, { installation, address }: AppView): Reply {
  const url = pageUrl(state, installation, address)
  const json = { title: address.moduleKey, pageUrl: url, origin: new URL(url).origin }
  return { status: 200, headers: NOT_STORED, json }
}

type Arguments = Readonly<Record<string, unknown>>
/** What `AP.*` of the page bridge gives. */
const ANSWERS: Readonly<Record<string, (state: ConnectState, view: AppView, args: Arguments) => unknown>> = {
  'context.getToken': (state, { installation, address }) => signContext(state, installation, address.place),
  'context.getContext': (_, { installation, address }) => placeClaims(installation, address.place).context,
  'user.getCurrentUser': (_, { address }) => ({ atlassianAccountId: address.place.user?.accountId }),
  request: callAsUser,
}

/** The page calls the product as its user: with a token of this moment, over the product's own API. */
async function callAsUser(state: ConnectState, { installation, address }: AppView, args: Arguments) {
  const { user } = address.place
  if (user == null) throw new ApiError(401, 'Nobody is signed in.')
  const { path, method, data } = orBadRequest(() => readRequest(args))
  const token = state.accessTokens.issue({ installation, user, scopes: SCOPES }, TOKEN_SECONDS)
  const { status, body } = await state.apps.call({
    method,
    url: installation.baseUrl + path,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(data !== undefined && { body: data }),
    timeoutMs: state.settings.callbackTimeoutMs,
    maxBytes: MAX_ANSWER_BYTES,
  })
  return { status, body }
}

const METHODS = ['GET', 'POST', 'PUT', 'DELETE'] as const

function readRequest(args: Arguments) {
  const path = readText(args.url, 'url')
  if (!/^\/(?!\/)/.test(path)) throw new ApiError(400, 'Pages call the product by a path.')
  const method = METHODS.find(one => one === String(args.type).toUpperCase())
  if (method === undefined) throw new ApiError(400, 'The bridge has no such method.')
  return { path, method, data: optional(args.data, data => readText(data, 'data')) }
}
