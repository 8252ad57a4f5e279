// The app of the guide for users of atlassian-connect-express: the same conversation with `before.cjs` on the real framework, where it is
// installed, and with `after.ts` on Partywall, each a process of its own; then what the old one has stored, imported.
import assert from 'node:assert/strict'
import { cp, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type ConnectHost, type ConnectInstallation, startConnectHost } from 'partywall/host'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { freePort } from '../support/free-port.ts'
import { CONNECT_PEER, peerForTests } from '../support/peer.ts'
import { type Cleanup, eventually, startProcess } from '../support/processes.ts'
import { TEST_KEYS } from '../support/registry.ts'

const { folder: peer, skip } = await peerForTests(CONNECT_PEER)
const EXAMPLE = fileURLToPath(new URL('../../examples/porting-ace', import.meta.url))

let database: TestDatabase
let host: ConnectHost
before(async () => {
  database = await createTestDatabase()
  host = await startConnectHost()
})
after(async () => {
  await host?.close()
  await database?.close()
})

test('the ported app answers as the guide says', async t => {
  const { app, system, jobs } = database.urls
  await converse(t, join(EXAMPLE, 'after.ts'), {
    DATABASE_URL: app,
    DATABASE_SYSTEM_URL: system,
    DATABASE_JOBS_URL: jobs,
    DATABASE_LISTEN_URL: undefined,
    PARTYWALL_KEYS: TEST_KEYS,
    DEVELOPMENT_HOSTS: new URL(host.url).host,
  })
})

test('the app it was ported from answers the same on atlassian-connect-express', skip, async t => {
  // Outside of this repository: a framework of today would stand nearer to it than its own.
  const folder = await mkdtemp(join(tmpdir(), 'porting-ace-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  await cp(EXAMPLE, folder, { recursive: true })
  await symlink(join(peer ?? '', 'node_modules'), join(folder, 'node_modules'))
  await converse(t, join(folder, 'before.cjs'), { NODE_OPTIONS: '--no-deprecation', AC_OPTS: 'no-reg' }, folder)
})

/** Two tenants install it, flag an issue, and look at their panel. */
async function converse(
  t: Cleanup,
  file: string,
  environment: Readonly<Record<string, string | undefined>>,
  cwd?: string,
): Promise<void> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const program = startProcess(t, file, {
    environment: { NODE_ENV: undefined, CONNECT_KEYS_CDN_URL: host.keyServerUrl, ...environment, PORT: String(port) },
    ...(cwd === undefined ? {} : { cwd }),
  })
  void program.eachLine(() => undefined)
  const descriptorUrl = `${url}/atlassian-connect.json`
  await eventually(`${file} serves: ${program.errors}`, () => isServed(descriptorUrl), 60_000)
  const [one, other] = [await install(descriptorUrl), await install(descriptorUrl)]
  const site = one.product.site
  const user = site.createUser({ displayName: 'Ada' })
  const issue = site.createIssue(site.createProject({ key: 'CAR' }), { summary: 'It does not stop' })
  const panel = async (installation: ConnectInstallation) => {
    const { status, body } = await installation.openPage('flag', { user, issue })
    assert.equal(status, 200, body)
    return /<p>(.*)<\/p>/.exec(body)?.[1]
  }
  const api = async (installation: ConnectInstallation, path: string, body?: object) => {
    const token = installation.contextToken({ user, issue })
    const headers = { authorization: `JWT ${token}`, 'content-type': 'application/json' }
    const sent = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }
    const response = await fetch(url + path, { headers, ...sent })
    return { status: response.status, json: await response.json() }
  }
  assert.equal(await panel(one), 'no flag')
  assert.deepEqual(await api(one, '/api/flag', { color: 'red' }), {
    status: 200,
    json: { key: issue.key, color: 'red' },
  })
  assert.equal((await api(one, '/api/flag', { color: '<b>' })).status, 400)
  assert.equal(await panel(one), 'red')
  assert.equal(await panel(other), 'no flag')
  assert.deepEqual(
    [...issue.comments.values()].map(({ body }) => body),
    ['Flagged red'],
  )
  await host.fire(site.jira, 'jira:issue_created', { place: { issue }, payload: { issue: { key: issue.key } } })
  const created = async (installation: ConnectInstallation) => (await api(installation, '/api/created')).json
  await eventually('the event is counted', async () => ((await created(one)) as { created: number }).created === 1)
  assert.deepEqual(await created(other), { created: 0 })
}

let sites = 0
async function install(descriptorUrl: string): Promise<ConnectInstallation> {
  const installation = await host.install(descriptorUrl, host.createSite({ name: `site-${sites++}` }).jira)
  assert.equal(installation.state, 'enabled', JSON.stringify(installation.result))
  return installation
}

async function isServed(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok
  } catch {
    // Nobody listens yet; the caller has the deadline.
    return false
  }
}
