import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { inspect } from 'node:util'
import { isPartywallError } from '../../src/core/errors.ts'
import { newIdentityUid, newTenantUid } from '../../src/core/ids.ts'
import type { IdentityRecord } from '../../src/core/tenant.ts'
import { keyProvider, parseKeys } from '../../src/postgres/keys.ts'
import { type BoxPlace, createDataKeys, openBox, sealBox } from '../../src/postgres/secrets.ts'
import { rotateKeys } from '../../src/postgres/secrets-rotation.ts'
import { createTokenStore } from '../../src/postgres/token-store.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { become, install, keyOf, testRegistry } from '../support/registry.ts'

const isCode = (code: string) => (error: unknown) => isPartywallError(error) && error.code === code
const listedKey = (id: string, fill: number) => `${id}:${Buffer.alloc(32, fill).toString('base64')}`
const OLD = listedKey('old', 1)
const NEW = listedKey('new', 2)

let db: TestDatabase
before(async () => {
  db = await createTestDatabase()
})
after(() => db.close())

const found = async (lookUp: Promise<IdentityRecord | undefined>): Promise<IdentityRecord> => {
  const identity = await lookUp
  assert.ok(identity)
  return identity
}

test('E 56: a box opens only where it belongs, and only unchanged', () => {
  const keys = createDataKeys({ keys: parseKeys(OLD, 'test') })
  const tenant = newTenantUid()
  const place = { kind: 'secret', tenant, identity: newIdentityUid(), name: 'secret', version: 3 } as const
  const { key, ...wrapped } = keys.create(tenant)
  const box = sealBox(key, place, 'grüße \u0000')
  assert.equal(openBox(key, place, box), 'grüße \u0000')
  const elsewhere: BoxPlace[] = [
    { ...place, tenant: newTenantUid() },
    { ...place, identity: newIdentityUid() },
    { ...place, name: 'webhookToken' },
    { ...place, version: 4 },
    { kind: 'token', tenant, identity: place.identity, tokenKey: 'secret', secretVersion: 3 },
  ]
  for (const other of elsewhere) assert.throws(() => openBox(key, other, box), isCode('ERR_SEAL_BROKEN'))
  for (let at = 0; at < box.length; at++) {
    const changed = Buffer.from(box)
    changed[at] = (changed[at] ?? 0) ^ 1
    assert.throws(() => openBox(key, place, changed), isCode('ERR_SEAL_BROKEN'))
  }
  assert.throws(() => openBox(key, place, box.subarray(0, 20)), isCode('ERR_SEAL_BROKEN'))
  const fresh = createDataKeys({ keys: parseKeys(OLD, 'test') })
  assert.throws(
    () => fresh.open(newTenantUid(), wrapped),
    isCode('ERR_SEAL_BROKEN'),
    'a data key belongs to its tenant',
  )
  assert.deepEqual(fresh.open(tenant, wrapped), key)
  const without = createDataKeys({ keys: parseKeys(NEW, 'test') })
  assert.throws(() => without.open(tenant, wrapped), isCode('ERR_KEY_UNKNOWN'))
})

test('E 56: nothing in the database holds a secret or a token in the clear', async () => {
  const { registry, dataKeys } = testRegistry(db.database, { keys: OLD })
  const secret = 'clear-text-secret'
  const change = install('sealed', { secret, initialSecrets: { webhookToken: 'clear-text-webhook' } })
  const identity = (await registry.apply(change)).identity as IdentityRecord
  const tokens = createTokenStore({ database: db.database, dataKeys })
  const token = { accessToken: 'clear-text-token', expiresAt: Date.now() + 60_000, scope: 'a', facts: {} }
  await tokens.save(identity, 'key', token)
  const tables = ['tenant', 'identity', 'data_key', 'secret', 'token', 'used_token', 'audit']
  for (const table of tables) {
    const rows = await db.admin(`select x::text as row from pw.${table} x`)
    for (const { row } of rows) {
      assert.doesNotMatch(String(row), /clear-text/, table)
      assert.ok(!String(row).includes(Buffer.from('clear-text').toString('hex')), table)
    }
  }
  const read = await found(registry.find(keyOf('sealed')))
  assert.equal(read.secrets.get('secret'), secret)
  assert.equal(read.secrets.get('webhookToken'), 'clear-text-webhook')
  for (const shown of [
    JSON.stringify(read),
    inspect(read, { depth: 9, showHidden: true }),
    JSON.stringify({ ...read }),
  ]) {
    assert.doesNotMatch(shown, /clear-text/)
  }
})

test('E 56: keys are rotated without downtime: old ones open until every data key has moved', async () => {
  const first = testRegistry(db.database, { keys: OLD })
  for (let n = 0; n < 12; n++) await first.registry.apply(install(`rotate${n}`))
  const both = testRegistry(db.database, { keys: `${NEW},${OLD}` })
  const whileMoving = Promise.all(
    Array.from({ length: 12 }, async (_, n) => found(both.registry.find(keyOf(`rotate${n}`)))),
  )
  const keys = parseKeys(`${NEW},${OLD}`, 'test')
  const deps = { system: db.database.system, dataKeys: both.dataKeys, keys }
  const [rotation, moving] = await Promise.all([rotateKeys(deps), whileMoving])
  assert.ok(rotation.rewrapped >= 12)
  assert.equal((await rotateKeys(deps)).rewrapped, 0)
  const onlyNew = testRegistry(db.database, { keys: NEW })
  for (let n = 0; n < 12; n++) {
    const identity = await found(onlyNew.registry.find(keyOf(`rotate${n}`)))
    assert.equal(identity.secrets.get('secret'), `secret of rotate${n}`)
    assert.deepEqual(identity.secrets.sessionKey, moving[n]?.secrets.sessionKey, 'sessions go on')
  }
})

test('E 56: a tenant that is written moves to the current key by itself', async () => {
  await testRegistry(db.database, { keys: OLD }).registry.apply(install('lazy'))
  await testRegistry(db.database, { keys: `${NEW},${OLD}` }).registry.apply(install('lazy', { secret: 'next' }))
  const identity = await found(testRegistry(db.database, { keys: NEW }).registry.find(keyOf('lazy')))
  assert.equal(identity.secrets.get('secret'), 'next')
})

test('a key that is not configured is named, and stops only its own tenants', async () => {
  const lost = listedKey('lost', 9)
  await testRegistry(db.database, { keys: lost }).registry.apply(install('lost'))
  const { registry, dataKeys } = testRegistry(db.database, { keys: `${NEW},${OLD}` })
  await registry.apply(install('kept'))
  const [failed, kept] = await Promise.allSettled([registry.find(keyOf('lost')), registry.find(keyOf('kept'))])
  assert.ok(failed.status === 'rejected' && isCode('ERR_KEY_UNKNOWN')(failed.reason))
  assert.equal(kept.status, 'fulfilled')
  const installs = await Promise.allSettled([
    registry.apply(install('lost', { secret: 'x' })),
    registry.apply(install('kept', { secret: 'x' })),
  ])
  assert.deepEqual(
    installs.map(one => one.status),
    ['rejected', 'fulfilled'],
  )
  const keys = parseKeys(`${NEW},${OLD}`, 'test')
  await assert.rejects(rotateKeys({ system: db.database.system, dataKeys, keys }), isCode('ERR_KEY_UNKNOWN'))
  await db.admin("delete from pw.data_key where kek_id = 'lost'")
})

test('another secret gives other session keys, another identity too', async () => {
  const { registry } = testRegistry(db.database)
  const one = (await registry.apply(install('sessions'))).identity
  const two = (await registry.apply(install('sessions', { secret: 'another' }))).identity
  const other = (await registry.apply(install('sessions-of-other'))).identity
  const keys = [one, two, other].map(identity => identity?.secrets.sessionKey?.toString())
  assert.equal(new Set(keys).size, 3)
  assert.equal(one?.secrets.sessionKey?.length, 32)
})

test('C 37: a token row belongs to its identity, its key and its secret', async () => {
  const { registry, dataKeys } = testRegistry(db.database)
  const store = createTokenStore({ database: db.database, dataKeys })
  const one = (await registry.apply(install('tokens-one'))).identity as IdentityRecord
  const two = (await registry.apply(install('tokens-two'))).identity as IdentityRecord
  const token = { accessToken: 'abc', expiresAt: Date.now() + 60_000, scope: 'a b', facts: { group: 7 } }
  await store.save(one, 'k1', token)
  assert.deepEqual(await store.load(one, 'k1'), token)
  assert.equal(await store.load(one, 'k2'), undefined)
  assert.equal(await store.load(two, 'k1'), undefined)
  await db.admin(
    `insert into pw.token select $1::uuid, $2::uuid, token_key, secret_version, box, expires_at from pw.token where tenant_id = $3::uuid`,
    [two.tenantUid, two.uid, one.tenantUid],
  )
  await assert.rejects(store.load(two, 'k1'), isCode('ERR_SEAL_BROKEN'), 'a row copied to another tenant does not open')
  const rotated = (await registry.apply(install('tokens-one', { secret: 'next' }))).identity as IdentityRecord
  assert.equal(await store.load(rotated, 'k1'), undefined)
  await store.save(one, 'k1', token)
  assert.equal(await store.load(one, 'k1'), undefined, 'what was obtained under the old secret is not kept')
  await store.save(rotated, 'k1', { ...token, expiresAt: Date.now() - 1 })
  assert.equal(await store.load(rotated, 'k1'), undefined, 'expired')
  await store.save(rotated, 'k1', token)
  await store.save(rotated, 'k2', token)
  await store.drop(rotated, 'k1')
  assert.equal(await store.load(rotated, 'k1'), undefined)
  assert.deepEqual(await store.load(rotated, 'k2'), token)
  await registry.apply(become('uninstall', 'tokens-one'))
  const rows = await db.admin('select from pw.token where tenant_id = $1::uuid', [one.tenantUid])
  assert.equal(rows.length, 0, 'A 11: tokens go with the uninstall')
  await store.save(rotated, 'k1', token)
  assert.equal(await store.load(rotated, 'k1'), undefined)
})

test('one of many asks for a token; many waiters hold no connection', async () => {
  const { registry, dataKeys } = testRegistry(db.database)
  const identity = (await registry.apply(install('exclusive'))).identity as IdentityRecord
  const stores = Array.from({ length: 8 }, () => createTokenStore({ database: db.database, dataKeys }))
  let running = 0
  const orders = stores.map((store, at) =>
    store.exclusively(identity, 'k', 10_000, async () => {
      assert.equal(++running, 1)
      await new Promise(resolve => setTimeout(resolve, 20))
      // The system login has four connections for transactions; waiters must not use them up.
      await registry.apply(install(`while-waiting-${at}`))
      running--
      return at
    }),
  )
  assert.deepEqual(await Promise.all(orders), [0, 1, 2, 3, 4, 5, 6, 7])
  const failing = stores[0]?.exclusively(identity, 'k', 1_000, () => Promise.reject(new Error('host')))
  await assert.rejects(failing ?? Promise.resolve(), /host/)
  assert.equal(await stores[1]?.exclusively(identity, 'k', 1_000, async () => 'free again'), 'free again')
})

test('a lock that is held too long ends in a coded error, one of a revoked identity too', async () => {
  const { registry, dataKeys } = testRegistry(db.database)
  const identity = (await registry.apply(install('locked'))).identity as IdentityRecord
  const [one, two] = [0, 1].map(() => createTokenStore({ database: db.database, dataKeys }))
  let release: () => void = () => undefined
  const held = new Promise<void>(resolve => {
    release = resolve
  })
  const first = one?.exclusively(identity, 'k', 1_000, () => held)
  while ((await db.admin('select from pw.token where tenant_id = $1::uuid', [identity.tenantUid])).length === 0);
  await assert.rejects(two?.exclusively(identity, 'k', 60, async () => 1) ?? held, isCode('ERR_STORE_TIMEOUT'))
  release()
  await first
  await registry.apply(become('uninstall', 'locked'))
  await assert.rejects(two?.exclusively(identity, 'k', 60, async () => 1) ?? held, isCode('ERR_TENANT_REVOKED'))
})

test('keys come from the environment, first is current, or production does not start', async () => {
  const keys = await keyProvider({ env: { PARTYWALL_KEYS: `${NEW}, ${OLD}` }, production: true })
  assert.equal(keys.current.id, 'new')
  assert.deepEqual(keys.find('old'), Buffer.alloc(32, 1))
  assert.equal(keys.find('other'), undefined)
  await assert.rejects(keyProvider({ env: {}, production: true }), isCode('ERR_KEYS_MISSING'))
  const wrong = ['x', 'a:', 'a:AAAA', `${NEW},${NEW}`, `${NEW},`, `a b:${OLD.slice(4)}`, `new:${'A'.repeat(42)}B=`]
  for (const text of wrong) {
    await assert.rejects(
      keyProvider({ env: { PARTYWALL_KEYS: text }, production: true }),
      isCode('ERR_KEYS_INVALID'),
      text,
    )
  }
})

test('development makes one private key file, outside the data folder, once for all processes', async () => {
  const home = await mkdtemp(path.join(tmpdir(), 'pwk-'))
  try {
    const env = { HOME: home }
    const made = await Promise.all(Array.from({ length: 6 }, () => keyProvider({ env, production: false })))
    assert.equal(new Set(made.map(keys => `${keys.current.id} ${keys.current.key.toString('hex')}`)).size, 1)
    const file = path.join(home, '.config', 'partywall', 'keys')
    assert.equal((await stat(file)).mode & 0o777, 0o600)
    assert.match(await readFile(file, 'utf8'), /^dev-[0-9a-f]{8}:[A-Za-z0-9+/]{43}=\n$/)
    await assert.rejects(keyProvider({ env, production: false, dataFolder: home }), isCode('ERR_KEYS_INVALID'))
    await writeFile(file, OLD, { mode: 0o644 })
    const { chmod } = await import('node:fs/promises')
    await chmod(file, 0o644)
    await assert.rejects(keyProvider({ env, production: false }), isCode('ERR_KEYS_INVALID'))
  } finally {
    await rm(home, { recursive: true })
  }
})
