// core/tokens: keys that never meet, one request for many callers, refusals, ends of identities. The store is a small
// stand-in with a real lock; time stands still unless a test moves it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type ErrorCode, isPartywallError, PartywallError } from '../../../src/core/errors.ts'
import { newIdentityUid, newTenantUid } from '../../../src/core/ids.ts'
import type { Logger, StoredToken, TokenStore } from '../../../src/core/ports.ts'
import { type IdentityRecord, IdentitySecrets } from '../../../src/core/tenant.ts'
import { createTokens, tokenKey } from '../../../src/core/tokens.ts'

const tenantUid = newTenantUid()
const identity: IdentityRecord = {
  app: 'com.example.app',
  environment: 'production',
  dialect: 'hipchat',
  externalId: 'oauth-id',
  uid: newIdentityUid(),
  tenantUid,
  host: 'hipchat.example',
  state: 'installed',
  version: 1,
  secretVersion: 1,
  orderedAt: 0,
  attributes: {},
  region: 'default',
  hold: 'none',
  secrets: new IdentitySecrets(new Map()),
}
const wanted = { scopes: ['send_notification'] }
const refuses = (work: Promise<unknown>, code: ErrorCode) =>
  assert.rejects(work, error => isPartywallError(error, code))

/** A promise with its handles, to hold a request where a test wants it. */
function gate<T>() {
  let open: (value: T) => void = () => assert.fail('not ready')
  let fail: (error: unknown) => void = () => assert.fail('not ready')
  const promise = new Promise<T>((resolve, reject) => {
    open = resolve
    fail = reject
  })
  return { promise, open: (value: T) => open(value), fail: (error: unknown) => fail(error) }
}

/** One database and one clock for several processes. */
function world() {
  const time = { wall: 1_700_000_000_000, monotonic: 5_000 }
  const rows = new Map<string, StoredToken>()
  const locks = new Map<string, Promise<unknown>>()
  const faults: { load?: Error; drop?: Error } = {}
  const warnings: string[] = []
  const store: TokenStore = {
    async load(_identity, key) {
      if (faults.load !== undefined) throw faults.load
      return rows.get(key)
    },
    async save(_identity, key, token) {
      rows.set(key, structuredClone(token))
    },
    async drop(_identity, key) {
      if (faults.drop !== undefined) throw faults.drop
      if (key === undefined) rows.clear()
      else rows.delete(key)
    },
    async exclusively(_identity, key, _waitMs, work) {
      const before = locks.get(key) ?? Promise.resolve()
      const turn = before.then(work, work)
      locks.set(key, turn)
      return turn
    },
  }
  const ignore = () => undefined
  const logger: Logger = { debug: ignore, info: ignore, warn: event => warnings.push(event), error: ignore }
  const current = { is: true }
  let requests = 0
  return {
    time,
    rows,
    faults,
    warnings,
    current,
    requests: () => requests,
    advance(ms: number) {
      time.wall += ms
      time.monotonic += ms
    },
    process: (randomByte = 0, maxEntries = 100) =>
      createTokens({
        store,
        clock: { now: () => time.wall, monotonic: () => time.monotonic },
        random: { bytes: count => Buffer.alloc(count, randomByte) },
        logger,
        isCurrent: () => current.is,
        maxEntries,
      }),
    /** A host that numbers its tokens. */
    ask:
      (lifeSeconds = 1000) =>
      async (): Promise<StoredToken> => {
        requests++
        const number = requests
        await new Promise(resolve => setImmediate(resolve))
        return { accessToken: `token-${number}`, expiresAt: time.wall + lifeSeconds * 1000, scope: '', facts: {} }
      },
  }
}

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

test('a token is renewed at 75 to 85 % of its life, by one caller, while the others use the present one', async () => {
  const w = world()
  const [early, late] = [w.process(0), w.process(255)]
  await early.get(identity, wanted, w.ask(1000))
  await late.get(identity, wanted, w.ask(1000))
  w.advance(749_000)
  await early.get(identity, wanted, w.ask(1000))
  assert.equal(w.requests(), 1)
  w.advance(2_000)
  const held = gate<StoredToken>()
  const renewing = early.get(identity, wanted, () => held.promise)
  assert.equal((await early.get(identity, wanted, w.ask())).accessToken, 'token-1')
  assert.equal((await late.get(identity, wanted, w.ask())).accessToken, 'token-1')
  assert.equal(w.requests(), 1)
  held.open({ accessToken: 'renewed', expiresAt: w.time.wall + 1000_000, scope: '', facts: {} })
  assert.equal((await renewing).accessToken, 'renewed')
  assert.equal((await early.get(identity, wanted, w.ask())).accessToken, 'renewed')
  // The other process looks at its own time and finds the row.
  w.advance(100_000)
  assert.equal((await late.get(identity, wanted, w.ask())).accessToken, 'renewed')
  assert.equal(w.requests(), 1)
})

test('a host that is out for a while does no harm as long as the present token holds', async () => {
  const w = world()
  const tokens = w.process()
  const out = async (): Promise<StoredToken> => {
    throw new PartywallError('ERR_HOST_RATE_LIMITED', { retryAfterSeconds: 5 })
  }
  await tokens.get(identity, wanted, w.ask(1000))
  w.advance(800_000)
  assert.equal((await tokens.get(identity, wanted, out)).accessToken, 'token-1')
  assert.deepEqual(w.warnings, ['token-renewal-failed'])
  // Not asked again at once, but soon.
  assert.equal((await tokens.get(identity, wanted, () => assert.fail('asked again'))).accessToken, 'token-1')
  w.advance(10_000)
  assert.equal((await tokens.get(identity, wanted, w.ask())).accessToken, 'token-2')
  w.advance(1000_000)
  await refuses(tokens.get(identity, wanted, out), 'ERR_HOST_RATE_LIMITED')
})

test('a refusal of the token endpoint is never papered over with the present token', async () => {
  const w = world()
  const tokens = w.process()
  await tokens.get(identity, wanted, w.ask(1000))
  w.advance(800_000)
  const refusing = async (): Promise<StoredToken> => {
    throw new PartywallError('ERR_HOST_TOKEN_REFUSED')
  }
  await refuses(tokens.get(identity, wanted, refusing), 'ERR_HOST_TOKEN_REFUSED')
})

test('a store that is out is reported where there is nothing to go on with', async () => {
  const w = world()
  w.faults.load = new PartywallError('ERR_STORE_UNAVAILABLE')
  await refuses(w.process().get(identity, wanted, w.ask()), 'ERR_STORE_UNAVAILABLE')
  assert.equal(w.requests(), 0)
})

test('A 11: an identity forgotten while a request runs keeps nothing of it, in memory or in a row', async () => {
  const w = world()
  const tokens = w.process()
  const held = gate<StoredToken>()
  const running = tokens.get(identity, wanted, () => held.promise)
  await new Promise(resolve => setImmediate(resolve))
  tokens.forget(identity)
  held.open({ accessToken: 'late', expiresAt: w.time.wall + 1000_000, scope: '', facts: {} })
  assert.equal((await running).accessToken, 'late')
  assert.equal(w.rows.size, 0)
  assert.equal((await tokens.get(identity, wanted, w.ask())).accessToken, 'token-1')
})

test('A 11: nobody joins the request of a forgotten identity', async () => {
  const w = world()
  const tokens = w.process()
  const held = gate<StoredToken>()
  const running = tokens.get(identity, wanted, () => held.promise)
  await new Promise(resolve => setImmediate(resolve))
  tokens.forget(identity)
  const next = tokens.get(identity, wanted, w.ask())
  held.open({ accessToken: 'late', expiresAt: w.time.wall + 1000_000, scope: '', facts: {} })
  assert.deepEqual([(await running).accessToken, (await next).accessToken], ['late', 'token-1'])
})

test('A 11: while an identity is not known to be current, nothing is kept', async () => {
  const w = world()
  const tokens = w.process()
  w.current.is = false
  await tokens.get(identity, wanted, w.ask())
  await tokens.get(identity, wanted, w.ask())
  assert.deepEqual([w.requests(), w.rows.size], [2, 0])
})

test('A 11: an identity that ends while its row is written has the row removed', async () => {
  const w = world()
  const tokens = w.process()
  const set = w.rows.set.bind(w.rows)
  w.rows.set = (key, token) => {
    w.current.is = false
    return set(key, token)
  }
  await tokens.get(identity, wanted, w.ask())
  assert.equal(w.rows.size, 0)
})

test('forgetting an identity leaves the others', async () => {
  const w = world()
  const tokens = w.process()
  const other = { ...identity, uid: newIdentityUid() }
  await tokens.get(identity, wanted, w.ask())
  await tokens.get(identity, { scopes: ['admin_room'] }, w.ask())
  await tokens.get(other, wanted, w.ask())
  w.rows.clear()
  tokens.forget(identity)
  assert.equal((await tokens.get(other, wanted, w.ask())).accessToken, 'token-3')
  assert.equal((await tokens.get(identity, wanted, w.ask())).accessToken, 'token-4')
  assert.equal((await tokens.get(identity, { scopes: ['admin_room'] }, w.ask())).accessToken, 'token-5')
})

test('H 89: a wall clock that is set back revives nothing', async () => {
  const w = world()
  const tokens = w.process()
  await tokens.get(identity, wanted, w.ask(1000))
  w.advance(1000_000)
  w.time.wall -= 3600_000
  w.rows.clear()
  assert.equal((await tokens.get(identity, wanted, w.ask(1000))).accessToken, 'token-2')
})

test('H 89: a row from before the clock was set back has at most its whole life', async () => {
  const w = world()
  await w.process().get(identity, wanted, w.ask(1000))
  w.time.wall -= 3600_000
  const tokens = w.process()
  assert.equal((await tokens.get(identity, wanted, w.ask(1000))).accessToken, 'token-1')
  w.advance(1000_000)
  w.rows.clear()
  assert.equal((await tokens.get(identity, wanted, w.ask(1000))).accessToken, 'token-2')
})

test('memory is bounded; what was pushed out comes from its row', async () => {
  const w = world()
  const tokens = w.process(0, 2)
  for (const scope of ['a', 'b', 'c']) await tokens.get(identity, { scopes: [scope] }, w.ask())
  assert.equal((await tokens.get(identity, { scopes: ['a'] }, w.ask())).accessToken, 'token-1')
  w.rows.clear()
  assert.equal((await tokens.get(identity, { scopes: ['b'] }, w.ask())).accessToken, 'token-4')
})
