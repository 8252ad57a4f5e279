/** Ids that look alike or like syntax: each is refused or an ordinary tenant; erasing one (RETENTION_DAYS=0) erases no other. */

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  as,
  endScene,
  expectRefused,
  expectStatus,
  expectWorks,
  getValue,
  install,
  installBody,
  isOk,
  newSecret,
  postInstall,
  putValue,
  setScene,
  type Tenant,
  uninstall,
} from './support.ts'

const scene = setScene({ retentionDays: 0 })

const HOSTILE: Readonly<Record<string, string>> = {
  'the name __proto__': '__proto__',
  'the name constructor': 'constructor',
  'the name toString': 'toString',
  'the name hasOwnProperty': 'hasOwnProperty',
  'a colon': 'victim:data',
  'a key of another': 'victim:data:note',
  'a star': '*',
  'a pattern': '.*',
  'a like pattern': 'victi_',
  'a percent sign': 'victim%',
  'percent encoding': 'victim%00',
  'a path upwards': '../victim',
  'a dot': '.',
  'two dots': '..',
  'a slash': 'victim/x',
  'a back slash': 'victim\\x',
  'a quote': "victim' or '1'='1",
  'a double quote': 'victim"x',
  'a comment': 'victim--',
  'a statement': "'; delete from pw.kv; --",
  'a dollar': '$victim',
  'a blank after': 'victim ',
  'a blank before': ' victim',
  'upper case': 'VICTIM',
  'a combining accent': 'vi\u0301ctim',
  'a composed accent': 'v\u00edctim',
  'a zero-width blank': 'vic\u200btim',
  'a Cyrillic letter': 'v\u0456ctim',
  'an emoji': 'victim\u{1f600}',
  'a lone surrogate': 'victim\ud800',
  'a NUL': 'victim\u0000',
  'a line break': 'victim\nx',
  'right to left': '\u202evictim',
  '255 letters': 'v'.repeat(255),
  '1 kB': 'v'.repeat(1024),
  '1 kB and one': 'v'.repeat(1025),
  'a prefix': 'victi',
  'an extension': 'victim1',
  null: 'null',
  undefined: 'undefined',
  'a number': '0',
  JSON: '{"id":"victim"}',
  'a question mark': 'victim?x=1',
  'a fragment': 'victim#x',
  'a semicolon': 'victim;x',
}

let victim: Tenant
const living = new Map<string, Tenant>()

test('A 13: the victim lives, with data of its own', async () => {
  victim = await install(scene, { id: 'victim' })
  expectStatus(await putValue(scene, victim, 'note', 'of the victim'), [200, 201, 204])
  expectStatus(await putValue(scene, victim, 'note', 'deep', ['data', 'x']), [200, 201, 204])
})

describe('E 47, E 49: hostile ids', () => {
  for (const [name, id] of Object.entries(HOSTILE)) {
    test(`E 47, E 49: ${name} as an id is refused or an ordinary tenant`, async () => {
      const secret = newSecret()
      const client = scene.host.client(id, secret)
      const answer = await postInstall(scene, installBody(scene, { oauthId: id, oauthSecret: secret }))
      expectStatus(answer, [200, 204, 400])
      if (isOk(answer)) {
        const tenant = { id, secret, host: scene.host, client }
        living.set(name, tenant)
        await expectWorks(scene, tenant)
        expectStatus(await getValue(scene, tenant, 'note'), [404])
        expectStatus(await putValue(scene, tenant, 'note', `of ${name}`), [200, 201, 204])
        assert.deepEqual((await as(scene, tenant, '/hipchat/kv/list')).json?.items, { note: `of ${name}` })
        expectStatus(await as(scene, tenant, '/hipchat/outbound'), [200])
      }
      assert.equal((await getValue(scene, victim, 'note')).json?.value, 'of the victim')
    })
  }
})

test('E 48: at least the ids that differ in case, blanks and accents are tenants of their own', async () => {
  for (const name of ['upper case', 'a combining accent', 'a composed accent', 'a prefix', 'an extension']) {
    const tenant = living.get(name)
    assert.ok(tenant, `${name} could not be installed`)
    assert.equal((await getValue(scene, tenant, 'note')).json?.value, `of ${name}`)
  }
})

test('A 13: each id that can be installed can be removed, and that erases exactly this one', async () => {
  const stuck: string[] = []
  for (const [name, tenant] of living) {
    if (isOk(await uninstall(scene, tenant))) await expectRefused(scene, tenant, name)
    else stuck.push(name)
    assert.equal((await getValue(scene, victim, 'note')).json?.value, 'of the victim', `after the removal of ${name}`)
  }
  assert.deepEqual(stuck, [])
  assert.equal((await getValue(scene, victim, 'note', ['data', 'x'])).json?.value, 'deep')
})

test('A 13: removing the first of several leaves all the others untouched', async () => {
  const names = ['victim|', 'victim%', 'VICTIM', 'victim2', 'victi', 'vict_m', 'victim*', 'victim.']
  const tenants = await Promise.all(names.map(id => install(scene, { id })))
  await Promise.all(tenants.map(tenant => putValue(scene, tenant, 'note', `of ${tenant.id}`)))
  expectStatus(await uninstall(scene, victim), [200, 204])
  for (const tenant of tenants) {
    assert.equal((await getValue(scene, tenant, 'note')).json?.value, `of ${tenant.id}`)
  }
})

test('A 13: with RETENTION_DAYS=0 nothing that the tenant wrote is left in any table after the 2xx', async () => {
  const tenant = await install(scene)
  const [kept, gone] = [`kept ${newSecret()}`, `gone ${newSecret()}`]
  const stays = await install(scene)
  await putValue(scene, stays, 'note', kept)
  await putValue(scene, tenant, gone, gone, [gone])
  assert.equal((await scene.probe.stored()).includes(gone), true, 'it was there')
  expectStatus(await uninstall(scene, tenant), [200, 204])
  const stored = await scene.probe.stored()
  assert.equal(stored.includes(gone), false)
  assert.equal(stored.includes(kept), true)
})

test('A 13: with RETENTION_DAYS=0 the same id comes back empty', async () => {
  victim = await install(scene, { id: 'victim' })
  expectStatus(await getValue(scene, victim, 'note'), [404])
  expectStatus(await getValue(scene, victim, 'note', ['data', 'x']), [404])
  assert.deepEqual((await as(scene, victim, '/hipchat/kv/list')).json?.items, {})
  assert.equal((await as(scene, victim, '/hipchat/events')).json?.count, 0)
})

endScene(scene)
