// The add-on of the porting guide: the same conversation with `before.cjs` on the real library of before, where it is installed, and
// with `after.ts` on Partywall, each a process of its own.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type HipchatHost, startHipchatHost } from 'partywall/host'
import { withTenants } from 'partywall/testing'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { freePort } from '../support/free-port.ts'
import { HIPCHAT_PEER, peerEnvironment, peerForTests } from '../support/peer.ts'
import { type Cleanup, eventually, startProcess } from '../support/processes.ts'
import { TEST_KEYS } from '../support/registry.ts'

const { folder: peer, skip } = await peerForTests(HIPCHAT_PEER)

let database: TestDatabase
let host: HipchatHost
before(async () => {
  database = await createTestDatabase()
  host = await startHipchatHost({ rateLimit: false })
})
after(async () => {
  await host?.close()
  await database?.close()
})

test('B1 ack, listen: the ported add-on answers as the guide says', async t => {
  const { app, system, jobs } = database.urls
  await converse(t, 'after.ts', {
    DATABASE_URL: app,
    DATABASE_SYSTEM_URL: system,
    DATABASE_JOBS_URL: jobs,
    DATABASE_LISTEN_URL: undefined,
    PARTYWALL_KEYS: TEST_KEYS,
    DEVELOPMENT_HOSTS: new URL(host.url).host,
  })
})

test('the add-on it was ported from answers the same on the library of before', skip, async t => {
  await converse(t, 'before.cjs', { ...peerEnvironment(peer ?? ''), NODE_OPTIONS: '--no-deprecation' })
})

/** Two rooms install it, decide, and look at their page. */
async function converse(t: Cleanup, file: string, environment: Readonly<Record<string, string | undefined>>) {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const program = startProcess(t, new URL(`../../examples/porting/${file}`, import.meta.url), {
    environment: { NODE_ENV: undefined, ...environment, PORT: String(port) },
  })
  void program.eachLine(() => undefined)
  const descriptorUrl = `${url}/addon/capabilities`
  await eventually(`${file} serves: ${program.errors}`, () => isServed(descriptorUrl), 60_000)
  await withTenants({ host, descriptorUrl }, async ([one, other]) => {
    assert.ok(one && other)
    const messages = () => one.room.history.filter(({ type }) => type === 'notification').map(({ message }) => message)
    for (const [count, text] of ['nothing', '/decide Tea at four', '/decide Scones too'].entries()) {
      if (count > 0) await one.room.say(one.user, text)
      await eventually(`answer ${count}`, () => messages().length > count)
    }
    assert.deepEqual(messages(), ['Decide with /decide', 'Decision 1: Tea at four', 'Decision 2: Scones too'])
    const read = async ({ installation, user }: typeof one) =>
      (await fetch(installation.pageUrl('/decisions', { user }))).json()
    const by = one.user.name
    assert.deepEqual(await read(one), {
      room: one.room.id,
      user: String(one.user.id),
      decisions: [
        { text: 'Tea at four', by },
        { text: 'Scones too', by },
      ],
    })
    assert.deepEqual(await read(other), { room: other.room.id, user: String(other.user.id), decisions: [] })
    assert.equal((await fetch(`${url}/decisions`)).status, 401)
    const { capabilities, key, vendor } = JSON.parse(await (await fetch(descriptorUrl)).text())
    assert.deepEqual([key, vendor.name], ['com.example.decisions', 'Example'])
    assert.equal([capabilities.command].flat()[0].name, '/decide')
  })
}

async function isServed(address: string): Promise<boolean> {
  try {
    return (await fetch(address)).ok
  } catch (error) {
    if (error instanceof TypeError) return false
    throw error
  }
}
