// The Connect examples, each on the framework it shows, in two tenants of simulated products, by real requests; and the scenario of
// `npm start` with them.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createContext, runInContext } from 'node:vm'
import {
  type ConnectHost,
  type ConnectInstallation,
  type HipchatHost,
  type Site,
  startConnectHost,
  startHipchatHost,
} from 'partywall/host'
import { type ConnectExamples, startConnectExamples } from '../../examples/connect-examples.ts'
import { playConnectScenario } from '../../examples/connect-scenario.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { freePort } from '../support/free-port.ts'
import { eventually } from '../support/processes.ts'

let database: TestDatabase
let host: ConnectHost
let hipchat: HipchatHost
let examples: ConnectExamples
let acme: Site
let globex: Site
before(async () => {
  database = await createTestDatabase()
  host = await startConnectHost({ retryDelaysMs: [50, 50] })
  hipchat = await startHipchatHost({ rateLimit: false })
  const { app, system, jobs } = database.urls
  examples = await startConnectExamples({
    database: { urls: { app, system, jobs } },
    keys: { current: { id: 'test', key: Buffer.alloc(32, 9) }, find: () => Buffer.alloc(32, 9) },
    logLevel: 'silent',
    products: host,
    hipchat,
    ports: [await freePort(), await freePort(), await freePort(), await freePort()],
  })
  acme = host.createSite({ name: 'one' })
  globex = host.createSite({ name: 'two' })
})
after(async () => {
  await examples?.close()
  await hipchat?.close()
  await host?.close()
  await database?.close()
})

async function install(
  example: { readonly descriptorUrl: string },
  product: Site['jira'],
): Promise<ConnectInstallation> {
  const installation = await host.install(example.descriptorUrl, product)
  assert.equal(installation.state, 'enabled', JSON.stringify(installation.result))
  return installation
}
const call = (url: string, token: string, init: RequestInit = {}) =>
  fetch(url, { ...init, headers: { authorization: `JWT ${token}` } })
const jsonOf = async <T>(response: Response | Promise<Response>): Promise<T> => {
  const got = await response
  const text = await got.text()
  assert.equal(got.status, 200, text)
  return JSON.parse(text) as T
}
const issueOf = (site: Site) => site.createIssue(site.createProject({ key: 'AB' }), { summary: 'x' })
type Notes = Readonly<Record<string, { readonly text: string; readonly author: string }>>

test('issue notes: written and read by context tokens, of the signed issue, seen by its tenant alone', async () => {
  const { notes } = examples
  const [one, two] = [await install(notes, acme.jira), await install(notes, globex.jira)]
  const ada = acme.createUser({ displayName: 'Ada', permissions: ['EDIT_ISSUES'] })
  const issue = issueOf(acme)
  const other = acme.createIssue(issue.project, { summary: 'y' })
  const token = (place = {}) => one.contextToken({ user: ada, issue, ...place })
  const api = `${notes.app.baseUrl}/api/notes`
  const add = (text: string) => call(api, token(), { method: 'POST', body: text })
  await Promise.all([add('<b>first</b>'), add('second')])
  const found = Object.values(await jsonOf<Notes>(call(api, token())))
  assert.deepEqual(new Set(found.map(({ text }) => text)), new Set(['<b>first</b>', 'second']))
  assert.equal(found[0]?.author, ada.accountId)
  assert.deepEqual(await jsonOf(call(api, token({ issue: other }))), {})
  // The same issue id, another tenant.
  assert.deepEqual(await jsonOf(call(api, two.contextToken({ issue }))), {})
  assert.deepEqual(await jsonOf(call(`${notes.app.baseUrl}/api/count`, token())), {
    tenant: one.clientKey,
    site: one.baseUrl,
    notes: 2,
  })
  assert.equal((await jsonOf<{ notes: number }>(call(`${notes.app.baseUrl}/api/count`, two.contextToken()))).notes, 0)

  const grace = acme.createUser({ displayName: 'Grace' })
  assert.equal((await call(api, token({ user: grace }), { method: 'POST', body: 'x' })).status, 403, 'may only look')
  assert.equal((await call(api, token(), { method: 'POST', body: ' ' })).status, 400)
  assert.equal((await call(api, one.contextToken({ user: ada }), {})).status, 400, 'opened on no issue')
  assert.equal((await call(`${notes.app.baseUrl}/notes`, token())).status, 401, 'a context token on a page')

  await host.fire(acme.jira, 'jira:issue_deleted', { payload: { issue: { id: issue.id } } })
  await eventually('the notes are gone', async () => Object.keys(await jsonOf<Notes>(call(api, token()))).length === 0)
})

test('issue notes: the page and its script run in the product’s bridge and show text as text', async () => {
  const { notes } = examples
  const site = host.createSite({ name: 'three' })
  const installation = await install(notes, site.jira)
  const user = site.createUser({ displayName: 'Ada', permissions: ['EDIT_ISSUES'] })
  const place = { user, issue: issueOf(site) }
  const page = await installation.openPage('notes', place)
  assert.equal(page.status, 200)
  assert.match(page.header('content-security-policy') ?? '', /^frame-ancestors http:\/\/127\.0\.0\.1:\d+$/)
  assert.equal(page.header('cache-control'), 'no-store')
  const [bridge = '', script = ''] = [...page.body.matchAll(/<script src="([^"]+)"/g)].map(([, url]) => url)
  assert.equal(bridge, `${host.url}/all.js`)
  const source = await fetch(script)
  assert.equal(source.headers.get('content-type'), 'text/javascript')

  const shown: { textContent: string }[] = []
  let submit: (event: { preventDefault(): void }) => void = () => assert.fail('no form')
  const list = { replaceChildren: (...items: { textContent: string }[]) => shown.splice(0, shown.length, ...items) }
  const form = {
    elements: { text: { value: '<i>hello</i>' } },
    reset: () => undefined,
    addEventListener: (_: string, listener: typeof submit) => {
      submit = listener
    },
  }
  const document = {
    currentScript: { dataset: { base: notes.app.baseUrl } },
    getElementById: (id: string) => (id === 'notes' ? list : form),
    createElement: () => ({ textContent: '' }),
  }
  const AP = { context: { getToken: async () => installation.contextToken(place) } }
  runInContext(await source.text(), createContext({ document, AP, fetch, Object, Error }))
  submit({ preventDefault: () => undefined })
  await eventually('the note is shown', () => shown.length === 1)
  assert.equal(shown[0]?.textContent, `<i>hello</i> (${user.accountId})`)
})

test('page mood: macros show parameters escaped; votes count once each, for the signed page of one tenant', async () => {
  const { mood } = examples
  const [one, two] = [await install(mood, acme.confluence), await install(mood, globex.confluence)]
  const content = acme.createContent(acme.createSpace({ key: 'DOC' }), { title: 'Handbook' })
  const user = acme.createUser({ displayName: 'Ada' })
  const vote = (installation: ConnectInstallation, name: string, place = {}) =>
    call(`${mood.app.baseUrl}/vote/${name}`, installation.contextToken({ user, content, ...place }), { method: 'POST' })
  await jsonOf(vote(one, 'happy'))
  await Promise.all(Array.from({ length: 9 }, async () => jsonOf(vote(one, 'happy'))))
  const page = await one.openPage('mood', { user, content }, { question: '<b>Well?</b>', 'macro.body': 'a & b' })
  assert.match(
    page.body,
    /<h1>&#60;b&#62;Well\?&#60;\/b&#62;<\/h1>\n<p>a &#38; b<\/p>\n<p>happy 10 · puzzled 0 · bored 0<\/p>/,
  )
  assert.match((await one.openPage('mood-line', { user, content })).body, /^<p>happy 10/)
  assert.equal(content.properties.get('mood-happy')?.value, true)
  assert.equal(content.properties.get('mood-bored'), undefined)
  assert.match((await two.openPage('mood', { content })).body, /happy 0/)
  assert.equal((await vote(one, 'furious')).status, 400)
  assert.equal((await vote(one, 'happy', { content: undefined })).status, 400)
  assert.equal((await fetch(`${mood.app.baseUrl}/vote/happy`, { method: 'POST' })).status, 401)
  const forged = one.pageUrl('mood', { content }).replace('ask=', 'ask=other')
  assert.equal((await fetch(forged)).status, 401, 'a parameter that nobody signed')
})

test('push count: Bitbucket installs, counts pushes per repository and tenant, and comes back with its data', async () => {
  const { pushes } = examples
  const [one, two] = [await install(pushes, acme.bitbucket), await install(pushes, globex.bitbucket)]
  const push = (site: Site, name: string, hash: string) =>
    host.fire(site.bitbucket, 'repo:push', {
      payload: { data: { repository: { full_name: name }, push: { changes: [{ hash }] } } },
    })
  await Promise.all([
    push(acme, 'one/car', 'a'),
    push(acme, 'one/car', 'b'),
    push(acme, 'one/<b>', 'c'),
    push(globex, 'two/car', 'd'),
  ])
  const seen = async (installation: ConnectInstallation) => (await installation.openPage('pushes')).body
  await eventually(
    'three pushes are counted',
    async () => /one\/car: 2.*/s.test(await seen(one)) && (await seen(one)).includes('&#60;b&#62;: 1'),
  )
  assert.doesNotMatch(await seen(two), /one\//)
  const token = one.signRequest({ method: 'GET', url: `${pushes.app.baseUrl}/pushes.json` })
  assert.deepEqual(await jsonOf(call(`${pushes.app.baseUrl}/pushes.json`, token)), { 'one/<b>': 1, 'one/car': 2 })
  await one.uninstall()
  assert.equal((await call(`${pushes.app.baseUrl}/pushes.json`, token)).status, 401)
  await one.reinstall()
  assert.match(await seen(one), /one\/car: 2/)
})

test('stand-up: one app in HipChat and Jira, the same function for both, and tenants that share nothing', async () => {
  const { standup } = examples
  const jira = await install(standup, acme.jira)
  const group = hipchat.createGroup({ name: 'Acme' })
  const room = group.createRoom({ name: 'Garage' })
  const installation = await hipchat.install(standup.hipchatDescriptorUrl, { group, room })
  assert.equal(installation.state, 'installed')
  await room.say(group.owner, '/standup tuned the engine')
  const user = acme.createUser({ displayName: 'Ada' })
  const api = `${standup.app.baseUrl}/jira/api/today`
  await jsonOf(call(api, jira.contextToken({ user }), { method: 'POST', body: 'read the manual' }))
  await host.fire(acme.jira, 'comment_created', { payload: { comment: { body: 'and wrote it down' } } })
  type Today = { readonly tenant: string; readonly lines: readonly string[] }
  await eventually(
    'the comment is noted',
    async () => (await jsonOf<Today>(call(api, jira.contextToken()))).lines.length === 2,
  )
  const inJira = await jsonOf<Today>(call(api, jira.contextToken()))
  assert.deepEqual(inJira, {
    tenant: jira.clientKey,
    lines: [`${user.accountId}: read the manual`, 'somebody: and wrote it down'],
  })
  await eventually(
    'the message is noted',
    async () => (await jsonOf<Today>(fetch(installation.pageUrl('/hipchat/today')))).lines.length === 1,
  )
  const inRoom = await jsonOf<Today>(fetch(installation.pageUrl('/hipchat/today')))
  assert.equal(inRoom.tenant, installation.oauthId)
  assert.match(inRoom.lines[0] ?? '', /: tuned the engine$/)
  assert.match((await jira.openPage('today', { user })).body, /read the manual/)
})

test('npm start: in its Connect scenario every tenant sees its own, and every attempt is refused', async () => {
  const report = await playConnectScenario(host, hipchat, examples, () => undefined)
  assert.deepEqual(Object.fromEntries(report.tenants.slice(0, 6).map(({ name, sees }) => [name, sees])), {
    'acme Jira': 'look at the brakes, call the customer',
    'globex Jira': 'paint it red',
    'acme Confluence': 'Like it? happy 2 · puzzled 1 · bored 0',
    'globex Confluence': 'Like it? happy 0 · puzzled 0 · bored 1',
    'acme Bitbucket': 'acme/car: 2',
    'globex Bitbucket': 'globex/car: 1',
  })
  assert.deepEqual(
    report.refusals.map(({ answer }) => answer),
    [
      '401 ERR_TOKEN_SIGNATURE',
      '401 ERR_QSH_MISMATCH',
      '401 ERR_QSH_MISMATCH',
      '403 ERR_PERMISSION_MISSING',
      '401',
      '401',
    ],
  )
  for (const { url } of report.pages) assert.equal((await fetch(url)).status, 200)
})
