// core/tokens: keys that never meet, one request for many callers, refused tokens, odd lives.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { PartywallError } from '../../../src/core/errors.ts'
import { newIdentityUid, newTenantUid } from '../../../src/core/ids.ts'
import type { StoredToken } from '../../../src/core/ports.ts'
import { tokenKey } from '../../../src/core/tokens.ts'
import { identity, refuses, wanted, world } from './tokens-world.ts'

test('C 37: the key differs for each of dialect, host, tenant, identity, secret version, user and scopes', () => {
  const variants = [
    tokenKey(identity, wanted),
    tokenKey({ ...identity, dialect: 'connect' }, wanted),
    tokenKey({ ...identity, host: 'other.example' }, wanted),
    tokenKey({ ...identity, tenantUid: newTenantUid() }, wanted),
    tokenKey({ ...identity, uid: newIdentityUid() }, wanted),
    tokenKey({ ...identity, secretVersion: 2 }, wanted),
    tokenKey(identity, { ...wanted, subject: 'user' }),
    tokenKey(identity, { ...wanted, subject: '' }),
    tokenKey(identity, { scopes: [] }),
    tokenKey(identity, { scopes: ['send_notification', 'admin_room'] }),
  ]
  assert.equal(new Set(variants).size, variants.length)
  for (const key of variants) assert.match(key, /^[0-9a-f]{64}$/)
})

test('C 37: order and repeats of scopes make no difference, a new version of the identity neither', () => {
  const key = tokenKey(identity, { scopes: ['a', 'b'] })
  assert.equal(tokenKey({ ...identity, version: 9 }, { scopes: ['b', 'a', 'b'] }), key)
})

test('C 37: different tuples never give the same key, whatever characters are in them', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 4 }),
    fc.constantFrom('"', ',', '","', '\\', '\ud800', '\\ud800', 'null', '[', ':', '\0'),
  )
  const tuple = fc.record({
    host: text,
    subject: fc.option(text, { nil: undefined }),
    scopes: fc.uniqueArray(text, { maxLength: 3 }),
  })
  const keyOf = ({ host, subject, scopes }: { host: string; subject: string | undefined; scopes: string[] }) =>
    tokenKey({ ...identity, host }, subject === undefined ? { scopes } : { subject, scopes })
  const sorted = <T extends { scopes: string[] }>(value: T) => ({ ...value, scopes: [...value.scopes].sort() })
  fc.assert(
    fc.property(tuple, tuple, (a, b) => {
      const isSame =
        JSON.stringify([a.host, a.subject ?? null, sorted(a).scopes]) ===
        JSON.stringify([b.host, b.subject ?? null, sorted(b).scopes])
      assert.equal(keyOf(a) === keyOf(b), isSame)
    }),
    { numRuns: 500 },
  )
  // Parts that would run together in a joined text.
  assert.notEqual(keyOf({ host: 'a', subject: 'b', scopes: [] }), keyOf({ host: 'ab', subject: '', scopes: [] }))
  assert.notEqual(
    keyOf({ host: '', subject: undefined, scopes: ['a b'] }),
    keyOf({ host: '', subject: undefined, scopes: ['a', 'b'] }),
  )
  assert.notEqual(
    keyOf({ host: '', subject: undefined, scopes: ['a,b'] }),
    keyOf({ host: '', subject: undefined, scopes: ['a', 'b'] }),
  )
})

test('C 38: a hundred callers with an empty cache share one request', async () => {
  const w = world()
  const tokens = w.process()
  const got = await Promise.all(Array.from({ length: 100 }, () => tokens.get(identity, wanted, w.ask())))
  assert.deepEqual([w.requests(), new Set(got.map(token => token.accessToken)).size], [1, 1])
  await tokens.get(identity, wanted, w.ask())
  assert.equal(w.requests(), 1)
})

test('C 38: callers in several processes share one request', async () => {
  const w = world()
  const processes = [w.process(), w.process(), w.process()]
  const got = await Promise.all(
    processes.flatMap(tokens => Array.from({ length: 10 }, () => tokens.get(identity, wanted, w.ask()))),
  )
  assert.deepEqual([w.requests(), new Set(got.map(token => token.accessToken)).size], [1, 1])
})

test('C 38: other users, scopes and secret versions get tokens of their own', async () => {
  const w = world()
  const tokens = w.process()
  const all = [
    await tokens.get(identity, wanted, w.ask()),
    await tokens.get(identity, { scopes: ['admin_room'] }, w.ask()),
    await tokens.get(identity, { ...wanted, subject: 'user' }, w.ask()),
    await tokens.get({ ...identity, secretVersion: 2 }, wanted, w.ask()),
    await tokens.get({ ...identity, uid: newIdentityUid() }, wanted, w.ask()),
  ]
  assert.equal(new Set(all.map(token => token.accessToken)).size, 5)
})

test('C 38: a refused token is forgotten in every process and asked for anew once', async () => {
  const w = world()
  const [one, two] = [w.process(), w.process()]
  const first = await one.get(identity, wanted, w.ask())
  await two.get(identity, wanted, w.ask())
  const retry = async (tokens: typeof one) => {
    await tokens.refuse(identity, wanted, first.accessToken)
    return (await tokens.get(identity, wanted, w.ask())).accessToken
  }
  const got = await Promise.all([
    ...Array.from({ length: 20 }, () => retry(one)),
    ...Array.from({ length: 20 }, () => retry(two)),
  ])
  assert.deepEqual([w.requests(), new Set(got)], [2, new Set(['token-2'])])
})

test('C 38: refusing an old token does no harm to the new one', async () => {
  const w = world()
  const tokens = w.process()
  const old = await tokens.get(identity, wanted, w.ask())
  await tokens.refuse(identity, wanted, old.accessToken)
  await tokens.get(identity, wanted, w.ask())
  await tokens.refuse(identity, wanted, old.accessToken)
  assert.equal((await w.process().get(identity, wanted, w.ask())).accessToken, 'token-2')
  assert.equal((await tokens.get(identity, wanted, w.ask())).accessToken, 'token-2')
})

test('C 38: a refused token does not come back from its row when dropping failed', async () => {
  const w = world()
  const tokens = w.process()
  const first = await tokens.get(identity, wanted, w.ask())
  w.faults.drop = new PartywallError('ERR_STORE_UNAVAILABLE')
  await refuses(tokens.refuse(identity, wanted, first.accessToken), 'ERR_STORE_UNAVAILABLE')
  assert.equal((await tokens.get(identity, wanted, w.ask())).accessToken, 'token-2')
})

test('C 38: a host that hands out a refused token again is taken at its word', async () => {
  const w = world()
  const tokens = w.process(0, 1)
  let asked = 0
  const same = async () => {
    asked++
    return { accessToken: 'same', expiresAt: w.time.wall + 60_000, scope: '', facts: {} }
  }
  await tokens.get(identity, wanted, same)
  await tokens.refuse(identity, wanted, 'same')
  for (let call = 0; call < 3; call++) await tokens.get(identity, wanted, same)
  // Pushed out of memory, its row counts again as well.
  await tokens.get(identity, { scopes: ['other'] }, w.ask())
  await tokens.get(identity, wanted, same)
  assert.equal(asked, 2)
})

test('C 38: short lives are used, dead ones are handed over and not kept, endless ones end after a day', async () => {
  const w = world()
  const tokens = w.process()
  await tokens.get(identity, wanted, w.ask(10))
  w.advance(7_000)
  await tokens.get(identity, wanted, w.ask(10))
  assert.equal(w.requests(), 1)
  w.advance(1_000)
  await tokens.get(identity, wanted, w.ask(10))
  assert.equal(w.requests(), 2)
  const dead = { scopes: ['dead'] }
  assert.equal((await tokens.get(identity, dead, w.ask(0))).accessToken, 'token-3')
  assert.equal((await tokens.get(identity, dead, w.ask(-5))).accessToken, 'token-4')
  assert.equal(w.rows.has(tokenKey(identity, dead)), false)
  const endless = { scopes: ['endless'] }
  await tokens.get(identity, endless, w.ask(1e9))
  w.advance(24 * 3600 * 1000)
  await tokens.get(identity, endless, w.ask(1e9))
  assert.equal(w.requests(), 6)
})

test('C 38: a rejected request is not kept; all who waited for it hear of it', async () => {
  const w = world()
  const tokens = w.process()
  const fail = async (): Promise<StoredToken> => {
    throw new PartywallError('ERR_HOST_TOKEN_REFUSED')
  }
  const both = await Promise.allSettled([tokens.get(identity, wanted, fail), tokens.get(identity, wanted, fail)])
  assert.deepEqual(
    both.map(result => result.status),
    ['rejected', 'rejected'],
  )
  assert.equal((await tokens.get(identity, wanted, w.ask())).accessToken, 'token-1')
})
