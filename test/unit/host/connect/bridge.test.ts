// The page bridge: both scripts as the host serves them, in two windows that are linked as a page and its frame are.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createContext, runInContext } from 'node:vm'
import {
  type ConnectHost,
  type ConnectInstallation,
  type ConnectUser,
  type Issue,
  type Site,
  startConnectHost,
} from '../../../../src/host/index.ts'
import { type FakeWindow, linkedWindows } from '../fake-windows.ts'
import { type FakeApp, type Json, startFakeApp, verifyHs256 } from './fake-app.ts'

let host: ConnectHost
let app: FakeApp
let site: Site
let ada: ConnectUser
let issue: Issue
let jira: ConnectInstallation
before(async () => {
  host = await startConnectHost()
  app = await startFakeApp({ modules: { webPanels: [{ key: 'panel', url: '/panel', cacheable: true }] } })
  site = host.createSite({ name: 'acme' })
  ada = site.createUser({ displayName: 'Ada' })
  issue = site.createIssue(site.createProject({ key: 'TIGER' }), { summary: 'stripes' })
  jira = await host.install(app.descriptorUrl, site.jira)
})
after(async () => {
  await app.close()
  await host.close()
})

const text = async (path: string) => (await fetch(host.url + path)).text()
type Call = (...values: unknown[]) => Promise<unknown>
interface Bridge {
  tell(name: string, value: unknown): void
}

async function connect(frameUrl: string, search = `?xdm_e=${host.url}`) {
  const view = new URL(frameUrl).search
  const { origin, pageUrl } = (await (await fetch(`${host.url}/frame/view${view}`)).json()) as Record<string, string>
  const { page, frame, pageSeenByFrame } = linkedWindows(String(origin), host.url, search)
  const load = async (window: FakeWindow, path: string) =>
    runInContext(await text(path), createContext({ window, URLSearchParams, Error, Object, Map, Promise }))
  await load(frame, '/frame/frame-bridge.js')
  const answer = async (call: string, args: unknown) => {
    const body = JSON.stringify({ call, args })
    const response = await fetch(`${host.url}/frame/answer${view}`, { method: 'POST', body })
    const json = (await response.json()) as Json
    if (response.status !== 200) throw new Error(String(json.message))
    return json.result
  }
  const connection = { page: pageSeenByFrame, origin, channel: 'connect', answer }
  const bridge = (frame.connectPage as (connection: object) => Bridge)(connection)
  await load(page, '/all.js')
  const ap = page.AP as Record<string, Record<string, Call>> & { request: Call; resize: () => void }
  return { ap, bridge, pageUrl }
}

test('a page gets a token of its user and place, also a cacheable one', async () => {
  const { ap, pageUrl } = await connect(jira.frameUrl('panel', { user: ada, issue }), '')
  assert.equal(pageUrl, `${app.url}/panel`)
  const claims = await verifyHs256(jira.sharedSecret, String(await ap.context?.getToken?.()))
  assert.deepEqual([claims.qsh, claims.sub], ['context-qsh', ada.accountId])
  const context = (await new Promise(resolve => void ap.context?.getContext?.(resolve))) as { jira: { issue: Json } }
  assert.equal(context.jira.issue.key, issue.key)
  assert.deepEqual(await ap.user?.getCurrentUser?.(), { atlassianAccountId: ada.accountId })
  ap.resize()
})

test('a page calls the product as its user', async () => {
  const { ap } = await connect(jira.frameUrl('panel', { user: ada }))
  const { body } = (await ap.request('/rest/api/3/myself')) as { body: string }
  assert.equal((JSON.parse(body) as Json).accountId, ada.accountId)
  const refused = ap.request({ url: `/rest/api/3/issue/${issue.key}`, type: 'PUT', data: '{"fields":{}}' })
  await assert.rejects(refused, { message: 'the product answered 403' })
  await assert.rejects(ap.request('https://evil.example/'), { message: 'Pages call the product by a path.' })
})

test('nobody signed in calls nothing', async () => {
  const { ap } = await connect(jira.frameUrl('panel'))
  await assert.rejects(ap.request('/rest/api/3/myself'), { message: 'Nobody is signed in.' })
})

test('a page hears of events from when it listens until it stops', async () => {
  const { ap, bridge } = await connect(jira.frameUrl('panel'))
  bridge.tell('early', 1)
  const heard: unknown[] = []
  const listener = (value: unknown) => heard.push(value)
  const first = new Promise(resolve => void ap.events?.on?.('early', resolve))
  void ap.events?.on?.('early', listener)
  assert.equal(await first, 1)
  void ap.events?.off?.('early', listener)
  assert.deepEqual(heard, [1])
})

test('a page that is not open any more answers nothing', async () => {
  assert.equal((await fetch(`${host.url}/frame/view?view=guess`)).status, 404)
})
