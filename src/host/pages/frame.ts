/** The host's page around an add-on's page, and what its script asks of the host. Whoever knows a view's id is its user. */

import { signRequest } from '../clients/sign-request.ts'
import { groupRecord } from '../groups/group.ts'
import type { RoomRecord, UserRecord } from '../model.ts'
import { describeRoom, roomRecord } from '../rooms/room.ts'
import { ApiError } from '../server/api-error.ts'
import type { Call, Reply, Route } from '../server/reply.ts'
import type { HostState } from '../state.ts'
import { describeUser, userRecord, userReference } from '../users/user.ts'
import { open } from './open.ts'
import type { View } from './views.ts'

const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>HipChat</title>
<link rel="stylesheet" href="/addons/assets/frame.css">
<h1 id="title"></h1>
<main id="frames"></main>
<label>Message <textarea id="message" rows="2"></textarea></label>
<script src="/addons/assets/frame-bridge.js"></script>
<script src="/addons/assets/frame.js"></script>
</html>
`
const PAGE_HEADERS = {
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-src http: https:; frame-ancestors 'none'",
}
const NOT_STORED = { 'cache-control': 'no-store' }

export const frameRoutes = (state: HostState): Route[] => [
  {
    method: 'GET',
    path: '/addons/frame',
    handle: () => ({ status: 200, headers: PAGE_HEADERS, content: { type: 'text/html; charset=utf-8', body: PAGE } }),
  },
  { method: 'GET', path: '/addons/frame/view', handle: call => describeView(viewOf(state, call)) },
  { method: 'GET', path: '/addons/frame/answer', handle: call => answer(state, viewOf(state, call), call) },
  { method: 'POST', path: '/addons/frame/open', handle: call => openAnother(state, viewOf(state, call), call) },
]

function viewOf(state: HostState, call: Call): View {
  const view = state.views.find(call.query.get('view') ?? '')
  if (view === undefined) throw new ApiError(404, 'This page is not open any more.')
  return view
}

function describeView({ installation, subject, theme, kind, title, address, options, event }: View): Reply {
  const pageUrl = installation.pageUrl(address, { ...subject, theme, xdmhost: true })
  return {
    status: 200,
    headers: NOT_STORED,
    json: { kind, title, options, pageUrl, origin: new URL(pageUrl).origin, event },
  }
}

/** What `HipChat.*` of the page bridge gives. */
const ANSWERS: Readonly<Record<string, (state: HostState, view: View) => unknown>> = {
  'auth.withToken': (state, { installation, subject }) => signRequest(state, installation, {}, subject),
  'room.getRoomDetails': (state, view) => describeRoom(state, roomOf(state, view)),
  'room.getParticipants': (state, view) =>
    [...roomOf(state, view).participants].map(user => userReference(state, user)),
  'user.getCurrentUser': (state, view) => describeUser(state, userOf(state, view)),
}

function answer(state: HostState, view: View, call: Call): Reply {
  const name = call.query.get('call') ?? ''
  const give = Object.hasOwn(ANSWERS, name) ? ANSWERS[name] : undefined
  if (give === undefined) throw new ApiError(404, 'The bridge has no such call.')
  return { status: 200, headers: NOT_STORED, json: { result: give(state, view) } }
}

function openAnother(state: HostState, view: View, { query }: Call): Reply {
  const kind = query.get('kind')
  if (kind !== 'dialog' && kind !== 'webPanel') throw new ApiError(400, 'Pages open dialogs and web panels.')
  try {
    const { frameUrl } = open(
      state,
      view.installation,
      { kind, key: query.get('key') ?? '' },
      { ...view.subject, theme: view.theme },
    )
    return { status: 201, headers: NOT_STORED, json: { view: new URL(frameUrl).searchParams.get('view') } }
  } catch (error) {
    if (error instanceof TypeError) throw new ApiError(404, `${error.message}.`)
    throw error
  }
}

function roomOf(state: HostState, { installation, subject }: View): RoomRecord {
  const room = subject.room ?? installation.room
  if (room === undefined) throw new ApiError(404, 'This page is open outside rooms.')
  return roomRecord(state, room)
}

function userOf(state: HostState, { installation, subject }: View): UserRecord {
  const { user = installation.group.owner } = subject
  if (user === null) throw new ApiError(404, 'Nobody is signed in.')
  return userRecord(groupRecord(state, installation.group), user)
}
