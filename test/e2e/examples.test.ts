// The examples hearsay, sassy and mailroom, each in tenants of a simulated host, by real requests.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { HipchatApp } from 'partywall'
import { FAULTS, type HipchatHost, type HostRoom, type Installation, startHipchatHost } from 'partywall/host'
import { type TestTenant, withTenants } from 'partywall/testing'
import { addHearsay } from '../../examples/hearsay.ts'
import { addMailroom } from '../../examples/mailroom.ts'
import { addSassy } from '../../examples/sassy.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { type RunningApp, startHipchatApp } from '../support/hipchat-app.ts'
import { eventually } from '../support/processes.ts'

let database: TestDatabase
let host: HipchatHost
let running: RunningApp<readonly HipchatApp[]>
before(async () => {
  database = await createTestDatabase()
  host = await startHipchatHost({ rateLimit: false })
  running = await startHipchatApp({ database, hosts: [host] }, app =>
    Object.entries({ hearsay: addHearsay, sassy: addSassy, mailroom: addMailroom }).map(([name, add]) =>
      add(app, { key: `com.example.${name}`, path: `/${name}` }),
    ),
  )
})
after(async () => {
  await running?.close()
  await host?.close()
  await database?.close()
})

const inTwo = (name: string, work: (one: TestTenant, other: TestTenant) => Promise<void>) =>
  withTenants({ host, descriptorUrl: descriptorOf(name) }, async ([one, other]) => {
    assert.ok(one && other)
    await work(one, other)
  })
const descriptorOf = (name: string) => `${running.url}/${name}/addon/capabilities`
const notesIn = (room: HostRoom) => room.history.filter(({ type }) => type === 'notification')

/** Says it, and gives the add-on's next notification. */
async function ask({ room, user }: Pick<TestTenant, 'room' | 'user'>, text: string) {
  const before = notesIn(room).length
  await room.say(user, text)
  await eventually(`an answer to ${text}`, () => notesIn(room).length > before)
  return notesIn(room)[before] ?? assert.fail()
}

/** Submits a form of a page as a browser does. */
async function submit(page: string, action: string, fields: Record<string, string>): Promise<Response> {
  const forms = [...page.matchAll(/<form method="post" action="([^"]+)"/g)].map(([, url = '']) => url)
  const url = forms.find(one => new URL(one).pathname.endsWith(action)) ?? assert.fail(`no form for ${action}`)
  return fetch(url, { method: 'POST', body: new URLSearchParams(fields) })
}

test('B8 hearsay: patterns of the configuration page are registered for its tenant alone, heard, shown and taken back', async () => {
  await inTwo('hearsay', async (one, other) => {
    const open = async ({ installation, user }: TestTenant) =>
      (await fetch(installation.open({ kind: 'configurable' }, { user }).url)).text()
    let page = await (await submit(await open(one), '/patterns', { pattern: '(?i)<b>tea' })).text()
    assert.match(page, /<code>\(\?i\)&#60;b&#62;tea<\/code>/)
    assert.doesNotMatch(await open(other), /<code>/)
    assert.equal(one.room.webhooks.size, 1)

    assert.equal((await ask(one, '<B>Tea please')).message, 'Heard “<B>Tea”')
    await eventually('the glance is pushed', () => labelOf(one.installation)?.includes('1') === true)
    assert.equal((await one.installation.queryGlance('heard')).label.value, '<b>1</b> heard')
    assert.equal((await other.installation.queryGlance('heard')).label.value, '<b>0</b> heard')

    // The page's own token, refreshed with each page, opens the next form: nobody goes through the host again.
    const [, name = ''] = /name="name" value="([^"]+)"/.exec(page) ?? []
    const otherPage = await (await submit(await open(other), '/patterns', { pattern: 'x' })).text()
    const foreign = await submit(otherPage, '/patterns/remove', { name })
    assert.equal(foreign.status, 400, 'a neighbour’s pattern is none')
    page = await (await submit(page, '/patterns/remove', { name })).text()
    assert.doesNotMatch(page, /<code>/)
    assert.equal(one.room.webhooks.size, 0)
  })
})

const labelOf = (installation: Installation) => installation.glance('heard')?.label.value

test('hearsay: a pattern that could run for ever is refused with the reason and registers nothing', async () => {
  await inTwo('hearsay', async ({ installation, room, user }) => {
    const page = await (await fetch(installation.open({ kind: 'configurable' }, { user }).url)).text()
    for (const pattern of ['(a)\\1', '(?=a)b', '(', 'x'.repeat(1001)]) {
      const answer = await submit(page, '/patterns', { pattern })
      assert.equal(answer.status, 400, pattern)
      assert.match(await answer.text(), /role="alert">the pattern .* cannot run in linear time: .+</, pattern)
    }
    assert.equal(room.webhooks.size, 0)
    const action = /action="([^"?]+)\?/.exec(page)?.[1] ?? ''
    assert.equal((await fetch(action, { method: 'POST', body: 'pattern=tea' })).status, 401, 'without the page’s token')
  })
})

test('B8 sassy: one pattern runs a dozen commands with cards; a room switches them off for itself', async () => {
  const group = host.createGroup({ name: 'Acme' })
  const [lobby, lab] = ['Lobby', 'Lab'].map(name => group.createRoom({ name }))
  assert.ok(lobby && lab)
  const user = group.owner
  const installation = await host.install(descriptorOf('sassy'), { group })
  assert.equal(installation.state, 'installed')
  assert.equal(installation.webhooks.length, 1)
  const { capabilities } = JSON.parse(await (await fetch(descriptorOf('sassy'))).text())
  assert.equal(capabilities.command.length, 12)
  for (const { name } of capabilities.command.slice(0, -1)) {
    const { message, card } = await ask({ room: lobby, user }, `${name} the $& plan`)
    if (name === '/doubt') assert.equal(message, 'the $& plan? We shall see')
    assert.equal(Object(card).title, message)
  }

  assert.match((await ask({ room: lobby, user }, '/sassy')).message, /is enabled .* try \/sassy enable/)
  assert.equal((await ask({ room: lobby, user }, '/sassy disable')).message, 'Sassy is disabled in this room')
  await lobby.say(user, '/lunch')
  const name = { dialect: 'hipchat', id: installation.oauthId, addon: 'com.example.sassy' } as const
  await running.app.runAs(name, ({ tenantUid }) => running.app.deliveries.idle(tenantUid, 10_000))
  assert.equal(notesIn(lobby).at(-1)?.message, 'Sassy is disabled in this room')
  assert.equal((await ask({ room: lab, user }, '/lunch')).message, 'Lunch! this')
  assert.equal((await ask({ room: lobby, user }, '/sassy enable')).message, 'Sassy is enabled in this room')
  assert.equal((await ask({ room: lobby, user }, '/lunch')).message, 'Lunch! this')
})

async function mailAddress({ installation, user }: TestTenant): Promise<string> {
  let address: string | undefined
  await eventually('the address is made', async () => {
    const page = await (await fetch(installation.open({ kind: 'configurable' }, { user }).url)).text()
    address = /<code>([^<]+)</.exec(page)?.[1]
    return address !== undefined
  })
  return address ?? assert.fail()
}

const MAIL = { from: 'ada@example.com', subject: 'The minutes' }
const post = async (address: string, mail: unknown = MAIL): Promise<number> =>
  (await fetch(address, { method: 'POST', body: JSON.stringify(mail) })).status

test('B8 mailroom: mail to the installation’s own address reaches its room alone, also when the host is down at first', async () => {
  await inTwo('mailroom', async (one, other) => {
    const address = await mailAddress(one)
    assert.ok((new URL(address).searchParams.get('key')?.length ?? 0) >= 32)
    host.faults.inject({ ...FAULTS.restDown, oauthId: one.installation.oauthId, times: 1 })
    assert.equal(await post(address), 202)
    await eventually('the mail is there', () => notesIn(one.room).length === 1)
    assert.equal(notesIn(one.room)[0]?.message, 'Mail from ada@example.com: The minutes')
    assert.equal(notesIn(other.room).length, 0)
    for (const mail of [null, [], 'x', { from: 'a' }, { from: 1, subject: 'b' }, { ...MAIL, subject: '' }]) {
      assert.equal(await post(address, mail), 400, JSON.stringify(mail))
    }
  })
})

test('mailroom: a key opens its own installation and dies with it, and every refusal looks the same', async () => {
  await inTwo('mailroom', async (one, other) => {
    const [address, foreign] = [new URL(await mailAddress(one)), new URL(await mailAddress(other))]
    const refused = async (url: URL, why: string) => assert.equal(await post(url.href), 404, why)
    const changed = (change: (url: URL) => void) => {
      const url = new URL(address)
      change(url)
      return url
    }
    await refused(
      changed(url => url.searchParams.set('key', foreign.searchParams.get('key') ?? '')),
      'another’s key',
    )
    await refused(
      changed(url => url.searchParams.delete('key')),
      'no key',
    )
    await refused(
      changed(url => url.searchParams.append('key', 'x')),
      'two keys',
    )
    await refused(
      changed(url => url.searchParams.set('key', '')),
      'an empty key',
    )
    await refused(
      changed(url => {
        url.pathname = '/mailroom/mail/nobody'
      }),
      'no installation',
    )

    await one.installation.uninstall()
    await refused(address, 'after the uninstall')
    await one.installation.update()
    let renewed = address.href
    await eventually('a new address', async () => {
      renewed = await mailAddress(one)
      return renewed !== address.href
    })
    await refused(address, 'the old address after a re-install')
    assert.equal(await post(renewed), 202)
  })
})
