// The page bridge: both scripts as the host serves them, in two windows that are linked as a page and its frame are.
// A real browser is not needed for the messages; it is for the frame's own page.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createContext, runInContext, Script } from 'node:vm'
import type { OpenedPage } from '../../../src/host/index.ts'
import { type FakeWindow, linkedWindows } from './fake-windows.ts'
import { type Json, startWorld, type World } from './world.ts'

const PAGE_ORIGIN = 'https://addon.example.com'
const BUTTON = { key: 'save', name: { value: 'Save' } }

let world: World
let opened: OpenedPage
before(async () => {
  world = await startWorld({
    dialog: [{ key: 'ask', title: { value: 'Ask' }, url: `${PAGE_ORIGIN}/ask`, options: { primaryAction: BUTTON } }],
    action: [{ key: 'file-bug', name: { value: 'Bug' }, location: 'hipchat.message.action', target: 'ask' }],
  })
  await world.room.enter(world.user)
  const { message } = await world.room.say(world.user, 'broken')
  const opening = { kind: 'action', key: 'file-bug', message } as const
  opened = world.installation.open(opening, { user: world.user, room: world.room })
})
after(() => world.close())

const text = async (path: string) => (await fetch(`${world.host.url}${path}`)).text()
const view = () => new URL(opened.frameUrl).searchParams.get('view') ?? ''
const ask = async (path: string, parameters: Record<string, string> = {}, method = 'GET') => {
  const query = new URLSearchParams({ view: view(), ...parameters })
  const response = await fetch(`${world.host.url}/addons/frame/${path}?${query}`, { method })
  return { status: response.status, body: (await response.json()) as Json }
}

interface Bridge {
  tell(name: string, value: unknown): void
  close(): void
}
interface Page {
  readonly hipchat: Record<string, Record<string, (...values: unknown[]) => void>> & {
    register(handlers: object): void
  }
  readonly bridge: Bridge
  readonly calls: unknown[][]
  readonly page: FakeWindow
  readonly frame: FakeWindow
}
/** Loads both scripts; the frame answers from the host over HTTP, as `frame.js` does. */
async function connect(xdmhost: string = world.host.url): Promise<Page> {
  const { page, frame, pageSeenByFrame } = linkedWindows(PAGE_ORIGIN, world.host.url, `?xdmhost=${xdmhost}`)
  const load = async (window: FakeWindow, path: string) =>
    runInContext(await text(path), createContext({ window, URLSearchParams, Error, Object, Map, Set }))
  await load(frame, '/addons/assets/frame-bridge.js')
  const calls: unknown[][] = []
  const bridge = (frame.connectPage as (connection: object) => Bridge)({
    page: pageSeenByFrame,
    origin: PAGE_ORIGIN,
    answer: async (call: string, parameters: unknown) => {
      calls.push([call, parameters])
      if (/^(dialog|sidebar|chat)\./.test(call)) return undefined
      const { status, body } = await ask('answer', { call })
      if (status !== 200) throw new Error((body.error as Json).message as string)
      return body.result
    },
  })
  await load(page, '/atlassian-connect/all.js')
  return { hipchat: page.HipChat as Page['hipchat'], bridge, calls, page, frame }
}
const promised = (start: (callback: (error: Error | null, result: unknown) => void) => void) =>
  new Promise<unknown>((resolve, reject) =>
    start((error, result) => (error === null ? resolve(result) : reject(error))),
  )

test('a page gets a token, its room, who is there, and who looks at it', async () => {
  const { hipchat } = await connect()
  const token = String(await promised(done => hipchat.auth?.withToken?.(done)))
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Json
  assert.deepEqual([claims.iss, claims.sub], [world.installation.oauthId, world.user.id])
  const room = (await promised(done => hipchat.room?.getRoomDetails?.(done))) as Json
  assert.deepEqual([room.id, room.name], [world.room.id, 'Lobby'])
  const people = (await promised(done => hipchat.room?.getParticipants?.(done))) as Json[]
  assert.deepEqual(
    people.map(one => one.mention_name),
    ['ann'],
  )
  const user = (await promised(done => hipchat.user?.getCurrentUser?.(done))) as Json
  assert.equal(user.email, 'ann@example.com')
})

test('a page opens and closes dialogs and side bars, and writes into the message box', async () => {
  const { hipchat, calls } = await connect()
  hipchat.dialog?.open?.({ key: 'ask' })
  hipchat.dialog?.close?.()
  hipchat.sidebar?.openView?.({ key: 'side' })
  hipchat.sidebar?.closeView?.()
  await promised(done => hipchat.chat?.appendMessage?.('hello', done))
  assert.deepEqual(calls, [
    ['dialog.open', { key: 'ask' }],
    ['dialog.close', {}],
    ['sidebar.openView', { key: 'side' }],
    ['sidebar.closeView', {}],
    ['chat.appendMessage', { text: 'hello' }],
  ])
})

test('an action’s message waits for its handler; a dialog’s button can close the dialog', async () => {
  const { hipchat, bridge, calls } = await connect()
  const { body } = await ask('view')
  const { name, message } = body.event as { name: string; message: Json }
  bridge.tell(name, message)
  const heard = await new Promise<Json>(resolve => hipchat.register({ 'file-bug': resolve }))
  assert.equal(heard.message, 'broken')
  const pressed = new Promise<Json>(resolve =>
    hipchat.register({
      'dialog-button-click': (event: Json, closeDialog: () => void) => {
        closeDialog()
        resolve(event)
      },
    }),
  )
  bridge.tell('dialog-button-click', { action: 'save' })
  assert.deepEqual(await pressed, { action: 'save' })
  assert.deepEqual(await calledOnce(calls), ['dialog.close', {}])
})

test('an error of the host reaches the page as an error', async () => {
  const { hipchat, bridge } = await connect()
  const outside = world.installation.open({ kind: 'dialog', key: 'ask' }, { user: world.user })
  const before = opened
  opened = outside
  await assert.rejects(
    promised(done => hipchat.room?.getRoomDetails?.(done)),
    /outside rooms/,
  )
  opened = before
  bridge.close()
})

test('A 17: messages of other windows and other origins are not heard on either side', async () => {
  const { calls, page, frame } = await connect()
  const call = { channel: 'hipchat', kind: 'call', id: 1, call: 'auth.withToken', args: {} }
  const answers: unknown[] = []
  const stranger = { postMessage: (data: unknown) => void answers.push(data) }
  frame.dispatch({ source: stranger, origin: PAGE_ORIGIN, data: call })
  frame.dispatch({ source: page.seenByOther, origin: 'https://evil.example.com', data: call })
  frame.dispatch({ source: page.seenByOther, origin: PAGE_ORIGIN, data: { ...call, channel: 'other' } })
  frame.dispatch({ source: page.seenByOther, origin: PAGE_ORIGIN, data: null })
  let heard = 0
  ;(page.HipChat as Page['hipchat']).register({ secret: () => (heard += 1) })
  const event = { channel: 'hipchat', kind: 'event', name: 'secret' }
  page.dispatch({ source: stranger, origin: world.host.url, data: event })
  page.dispatch({ source: page.parent, origin: 'https://evil.example.com', data: event })
  assert.deepEqual([calls, answers, heard], [[], [], 0])
  page.dispatch({ source: page.parent, origin: world.host.url, data: event })
  assert.equal(heard, 1)
})

test('the frame’s page names no view and no token, runs only the host’s scripts, and cannot itself be framed', async () => {
  const response = await fetch(opened.frameUrl)
  const html = await response.text()
  assert.equal(html.includes(view()) || html.includes('signed_request'), false)
  const policy = response.headers.get('content-security-policy') ?? ''
  for (const rule of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"])
    assert.ok(policy.includes(rule))
  const paths = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = '']) => path)
  assert.deepEqual(
    paths.map(path => path.split('/').at(-1)),
    ['frame.css', 'frame-bridge.js', 'frame.js'],
  )
  // No browser here: what can be said is that the scripts are scripts.
  for (const path of paths.slice(1)) assert.ok(new Script(await text(path)))
})

test('a view gives a freshly signed page with the host’s origin, and opens others of its own add-on only', async () => {
  const { body } = await ask('view')
  const page = new URL(String(body.pageUrl))
  assert.deepEqual(
    [page.origin, body.origin, page.searchParams.get('xdmhost')],
    [PAGE_ORIGIN, PAGE_ORIGIN, world.host.url],
  )
  const other = await ask('open', { kind: 'dialog', key: 'ask' }, 'POST')
  assert.equal(other.status, 201)
  assert.notEqual(other.body.view, view())
  const wrong = async (parameters: Record<string, string>) => (await ask('open', parameters, 'POST')).status
  assert.deepEqual(
    [await wrong({ kind: 'dialog', key: 'gone' }), await wrong({ kind: 'adminPage', key: 'x' })],
    [404, 400],
  )
  assert.equal((await ask('answer', { call: 'toString' })).status, 404)
  assert.equal((await ask('view', { view: 'guessed' })).status, 404)
})

test('the styles and both names of the script are served', async () => {
  assert.equal(await text('/atlassian-connect/all.js'), await text('/atlassian-connect/all-debug.js'))
  const response = await fetch(`${world.host.url}/atlassian-connect/all.css`)
  assert.match(response.headers.get('content-type') ?? '', /^text\/css/)
  await response.text()
})

test('an uninstalled add-on has no open pages', async () => {
  await world.installation.uninstall()
  assert.equal((await ask('answer', { call: 'auth.withToken' })).status, 404)
})

/** The first call, once it has come: messages take their turn. */
async function calledOnce(calls: readonly unknown[][]): Promise<unknown[] | undefined> {
  while (calls.length === 0) await new Promise(setImmediate)
  return calls[0]
}
