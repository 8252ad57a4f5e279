import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import { createBinder } from '../../../src/core/bind.ts'
import { currentContext, maybeContext } from '../../../src/core/context.ts'
import { isPartywallError, PartywallError } from '../../../src/core/errors.ts'
import { newIdentityUid, newTenantUid } from '../../../src/core/ids.ts'
import type { Registry } from '../../../src/core/ports.ts'
import { type IdentityRecord, IdentitySecrets } from '../../../src/core/tenant.ts'

type Revocation = Parameters<Parameters<Registry['onRevoked']>[0]>[0]

/** A registry of which the test decides what is newest and whether the lease holds. */
function fakeRegistry() {
  const newest = new Map<string, IdentityRecord>()
  const revoked = new Set<(revocation: Revocation) => void>()
  const lapsed = new Set<() => Promise<void>>()
  const state = { holds: true, asked: 0 }
  return {
    state,
    put: (record: IdentityRecord) => newest.set(record.uid, record),
    forget: (record: IdentityRecord) => newest.delete(record.uid),
    revoke: ({ uid, tenantUid, version }: IdentityRecord) => {
      for (const listener of revoked) listener({ tenant: tenantUid, identity: uid, version })
    },
    lapse: () => Promise.all([...lapsed].map(listener => listener())),
    listeners: () => revoked.size + lapsed.size,
    isCurrent: (record: IdentityRecord) => state.holds && newest.get(record.uid)?.version === record.version,
    findByUid: async (_tenant: string, uid: string) => {
      state.asked++
      return newest.get(uid)
    },
    onRevoked: (listener: (revocation: Revocation) => void) => {
      revoked.add(listener)
      return () => void revoked.delete(listener)
    },
    onLapsed: (listener: () => Promise<void>) => {
      lapsed.add(listener)
      return () => void lapsed.delete(listener)
    },
  }
}

const identity = (name: string, more: Partial<IdentityRecord> = {}): IdentityRecord => ({
  app: 'a',
  environment: 'e',
  dialect: 'hipchat',
  externalId: name,
  uid: newIdentityUid(),
  tenantUid: newTenantUid(),
  host: 'h',
  state: 'installed',
  version: 1,
  secretVersion: 1,
  orderedAt: 1,
  attributes: {},
  region: 'global',
  hold: 'none',
  secrets: new IdentitySecrets(new Map()),
  ...more,
})

const setUp = () => {
  const registry = fakeRegistry()
  const failures: unknown[] = []
  const logger = { error: (_event: string, fields?: { readonly error?: unknown }) => void failures.push(fields?.error) }
  return { registry, binder: createBinder({ registry, logger }), failures }
}
const isCode = (code: string) => (error: unknown) => isPartywallError(error) && error.code === code

test('work runs in its tenant’s context, and outside there is none', async () => {
  const { registry, binder } = setUp()
  const one = identity('one')
  registry.put(one)
  const seen = await binder.run(one, context => {
    assert.equal(currentContext(), context)
    return context.tenantUid
  })
  assert.equal(seen, one.tenantUid)
  assert.equal(maybeContext(), undefined)
  assert.throws(() => currentContext(), isCode('ERR_TENANT_CONTEXT_MISSING'))
  assert.equal(binder.running, 0)
})

test('E 46: interleaved requests, listeners, streams and timers never see another tenant’s context', async () => {
  const { registry, binder } = setUp()
  const shared = new EventEmitter()
  const identities = Array.from({ length: 20 }, (_, at) => identity(`t${at}`))
  for (const record of identities) registry.put(record)
  const work = async (record: IdentityRecord): Promise<void> => {
    const own = () => assert.equal(currentContext().tenantUid, record.tenantUid)
    for (let step = 0; step < 5; step++) {
      await new Promise(resolve => setTimeout(resolve, Math.random() * 4))
      own()
      await Promise.all([Promise.resolve().then(own), new Promise<void>(resolve => setImmediate(() => resolve(own())))])
      shared.once('tick', own)
      shared.emit('tick')
      async function* stream() {
        own()
        yield 1
      }
      for await (const _ of stream()) own()
    }
  }
  await Promise.all(identities.map(record => binder.run(record, () => work(record))))
})

test('E 45: an identity that is not live is not bound', async () => {
  const { binder } = setUp()
  for (const state of ['disabled', 'uninstalled', 'retired'] as const) {
    await assert.rejects(
      binder.run(identity('x', { state }), () => 1),
      isCode('ERR_TENANT_DISABLED'),
    )
  }
  for (const hold of ['frozen', 'moving', 'erasing'] as const) {
    await assert.rejects(
      binder.run(identity('x', { hold }), () => 1),
      isCode('ERR_TENANT_DISABLED'),
    )
  }
  assert.throws(() => binder.open(identity('x', { state: 'disabled' }), 'read-only'), isCode('ERR_TENANT_DISABLED'))
})

test('A 11: a revocation aborts the signal and ends every context of the identity, and of no other', async () => {
  const { registry, binder } = setUp()
  const one = identity('one')
  const other = identity('other')
  registry.put(one)
  registry.put(other)
  const first = binder.open(one).context
  const second = binder.open(one).context
  const neighbour = binder.open(other).context
  const { signal } = first
  const newer = { ...one, version: 2, state: 'uninstalled' as const }
  registry.put(newer)
  registry.revoke(newer)
  assert.equal(signal.aborted, true)
  assert.ok(isCode('ERR_TENANT_REVOKED')(signal.reason))
  assert.equal(second.signal.aborted, true, 'a signal asked for afterwards is aborted too')
  for (const context of [first, second]) {
    assert.equal(context.isRevoked, true)
    assert.throws(() => context.ensureLive(), isCode('ERR_TENANT_REVOKED'))
  }
  assert.equal(neighbour.isRevoked, false)
  assert.equal(neighbour.ensureLive(), undefined)
})

test('a context bound to the state after the change is not ended by it', () => {
  const { registry, binder } = setUp()
  const ended = identity('one', { version: 2, state: 'uninstalled' })
  registry.put(ended)
  const { context } = binder.open(ended, 'read-only')
  registry.revoke(ended)
  assert.equal(context.isRevoked, false)
})

test('while the lease holds nobody is asked; when it has lapsed the registry decides', async () => {
  const { registry, binder } = setUp()
  const one = identity('one')
  registry.put(one)
  const { context } = binder.open(one)
  assert.equal(context.ensureLive(), undefined)
  assert.equal(registry.state.asked, 0)
  registry.state.holds = false
  await context.ensureLive()
  assert.equal(registry.state.asked, 1)
  const renamed = { ...one, version: 2, attributes: { name: 'new' } }
  registry.put(renamed)
  await context.ensureLive()
  assert.deepEqual(
    context.identity.attributes,
    { name: 'new' },
    'a change that takes nothing goes on with the new record',
  )
  registry.put({ ...renamed, version: 3, secretVersion: 2 })
  await assert.rejects(async () => context.ensureLive(), isCode('ERR_TENANT_REVOKED'))
})

for (const [name, change] of [
  ['has another secret', { version: 2, secretVersion: 2 }],
  ['is disabled', { version: 2, state: 'disabled' }],
  ['is being erased', { version: 2, hold: 'erasing' }],
  ['is older than what was bound', { version: 0 }],
] as const) {
  test(`A 10: after a lapse a context ends when the identity ${name}`, async () => {
    const { registry, binder } = setUp()
    const one = identity('one')
    registry.put(one)
    const { context } = binder.open(one)
    registry.put({ ...one, ...change })
    await registry.lapse()
    assert.equal(context.isRevoked, true)
  })
}

test('A 11: an identity that is gone ends its contexts', async () => {
  const { registry, binder } = setUp()
  const one = identity('one')
  registry.put(one)
  const { context } = binder.open(one)
  registry.forget(one)
  await assert.rejects(async () => context.ensureLive(), isCode('ERR_TENANT_REVOKED'))
  await assert.rejects(
    binder.run(one, () => 1),
    isCode('ERR_TENANT_REVOKED'),
  )
})

test('who opened a context can end it: the signal aborts with the reason, and no effect is left', async () => {
  const { registry, binder } = setUp()
  const one = identity('one')
  registry.put(one)
  const [first, second] = [binder.open(one), binder.open(one)]
  const { signal } = first.context
  first.end(new PartywallError('ERR_HANDLER_TIMEOUT'))
  assert.ok(isCode('ERR_HANDLER_TIMEOUT')(signal.reason))
  assert.throws(() => first.context.ensureLive(), isCode('ERR_HANDLER_TIMEOUT'))
  registry.revoke({ ...one, version: 2 })
  assert.ok(isCode('ERR_HANDLER_TIMEOUT')(signal.reason), 'the first reason stays')
  assert.ok(isCode('ERR_TENANT_REVOKED')(second.context.signal.reason), 'the other attempt is another context')
})

test('H 86: a listener of the signal that throws or rejects is reported, and every other one is still called', async () => {
  const { registry, binder, failures } = setUp()
  const one = identity('one')
  registry.put(one)
  const { context } = binder.open(one)
  const { signal } = context
  const called: string[] = []
  const fail = (name: string) => () => {
    called.push(name)
    throw new Error(name)
  }
  const removed = fail('removed')
  const twice = fail('twice')
  signal.addEventListener('abort', fail('function'))
  signal.addEventListener('abort', { handleEvent: fail('object') })
  signal.addEventListener('abort', async () => fail('rejecting')(), { once: true })
  signal.addEventListener('abort', twice)
  signal.addEventListener('abort', twice)
  signal.addEventListener('abort', removed)
  signal.removeEventListener('abort', removed)
  signal.onabort = fail('replaced')
  signal.onabort = fail('property')
  const derived = AbortSignal.any([signal])
  registry.revoke({ ...one, version: 2 })
  await new Promise(resolve => setImmediate(resolve))
  const expected = ['function', 'object', 'rejecting', 'twice', 'property']
  assert.deepEqual(called, expected)
  assert.deepEqual(failures.map(error => (error as Error).message).sort(), [...expected].sort())
  assert.equal(derived.aborted, true)
})

test('contexts are let go when work settles, also when it fails', async () => {
  const { registry, binder } = setUp()
  const one = identity('one')
  registry.put(one)
  await assert.rejects(
    binder.run(one, () => {
      throw new Error('handler')
    }),
    /handler/,
  )
  assert.equal(binder.running, 0)
  let released = 0
  const bound = binder.open(one, 'full', () => released++)
  assert.equal(binder.running, 1)
  binder.close()
  bound.release()
  bound.release()
  assert.equal(released, 1, 'whoever opened it hears of it once')
  assert.equal(bound.context.isRevoked, true)
  assert.equal(registry.listeners(), 0)
})
