// core/tokens: renewal, outages, ends of identities, clocks that jump, bounds.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PartywallError } from '../../../src/core/errors.ts'
import { newIdentityUid } from '../../../src/core/ids.ts'
import type { StoredToken } from '../../../src/core/ports.ts'
import { gate, identity, refuses, wanted, world } from './tokens-world.ts'

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
