// What the store does around its statements, over a port that only remembers: rows have tests of their own.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runInContext } from '../../../src/core/context.ts'
import { newTenantUid } from '../../../src/core/ids.ts'
import type { KvPort } from '../../../src/core/ports.ts'
import { createTenantStore, type TenantStoreOptions } from '../../../src/core/tenant-store.ts'
import { clock, cursorKey, fakeContext } from '../../support/store-context.ts'

interface Recorded {
  readonly kv: KvPort
  readonly calls: unknown[][]
  /** Runs when a statement has its answer, before the store sees it. */
  whenAnswered: () => void
}

function recordingPort(): Recorded {
  const rows = new Map<string, { value: string; version: number }>()
  const calls: unknown[][] = []
  const nameOf = (...parts: string[]) => JSON.stringify(parts)
  const answered = async <T>(call: unknown[], answer: T): Promise<T> => {
    calls.push(call)
    recorded.whenAnswered()
    return answer
  }
  const kv: KvPort = {
    get: (tenant, space, scope, key) => answered(['get', scope, key], rows.get(nameOf(tenant, space, scope, key))),
    getMany: (tenant, space, scope, keys) =>
      answered(
        ['getMany', scope, ...keys],
        new Map(
          keys.flatMap(key => {
            const row = rows.get(nameOf(tenant, space, scope, key))
            return row === undefined ? [] : [[key, row] as const]
          }),
        ),
      ),
    set(tenant, space, scope, key, value, { ifVersion }) {
      const name = nameOf(tenant, space, scope, key)
      const present = rows.get(name)?.version ?? 0
      if (ifVersion !== undefined && ifVersion !== present) return Promise.reject(conflict())
      rows.set(name, { value, version: present + 1 })
      return answered(['set', scope, key, value], { version: present + 1 })
    },
    del: (tenant, space, scope, key) => answered(['del', scope, key], rows.delete(nameOf(tenant, space, scope, key))),
    list: () => answered(['list'], [{ scope: '', key: 'k', value: '1', version: 1 }]),
    clear: () => answered(['clear'], 0),
  }
  const recorded: Recorded = { kv, calls, whenAnswered: () => undefined }
  return recorded
}

const conflict = () =>
  Object.assign(new Error('conflict'), { code: 'ERR_VERSION_CONFLICT', [Symbol.for('partywall.error')]: true })

function openStore(options: Partial<TenantStoreOptions> & { context?: ReturnType<typeof fakeContext> } = {}) {
  const context = options.context ?? fakeContext(newTenantUid())
  const port = recordingPort()
  return {
    ...port,
    port,
    context,
    store: createTenantStore({ kv: port.kv, space: 'store', cursorKey, clock, ...options, context }),
  }
}

const reads = (store: ReturnType<typeof createTenantStore>): Record<string, () => Promise<unknown>> => ({
  get: () => store.get('k'),
  entry: () => store.entry('k'),
  getMany: () => store.getMany(['k', 'l']),
  list: () => store.list(),
  all: () => store.all({ nested: true }),
})
const writes = (store: ReturnType<typeof createTenantStore>): Record<string, () => Promise<unknown>> => ({
  set: () => store.set('k', 1),
  del: () => store.del('k'),
  update: () => store.update('k', () => 1),
  clear: () => store.clear(),
})

test('E 45: a store without a context is never made', () => {
  const { kv } = recordingPort()
  const context = undefined as unknown as TenantStoreOptions['context']
  assert.throws(() => createTenantStore({ context, kv, space: 'store', cursorKey, clock }), TypeError)
  const short = {
    context: fakeContext(newTenantUid()),
    kv,
    space: 'store',
    cursorKey: Buffer.alloc(31),
    clock,
  } as const
  assert.throws(() => createTenantStore(short), TypeError)
})

for (const asks of [false, true]) {
  const how = asks ? 'that has to ask' : 'that knows'
  test(`E 45: after revocation nothing reaches the database, with a context ${how}`, async () => {
    const context = fakeContext(newTenantUid(), { asks })
    const { store, calls } = openStore({ context })
    const nested = store.narrow('scope')
    context.revoke()
    for (const call of Object.values({ ...reads(store), ...writes(store), ...reads(nested) })) {
      await assert.rejects(call(), { code: 'ERR_TENANT_REVOKED' })
    }
    assert.deepEqual(calls, [])
  })

  test(`E 45: what was read is not handed out when the context is revoked meanwhile, with a context ${how}`, async () => {
    for (const name of Object.keys(reads(openStore().store))) {
      const context = fakeContext(newTenantUid(), { asks })
      const { store, port, calls } = openStore({ context })
      port.whenAnswered = () => context.revoke()
      await assert.rejects(async () => reads(store)[name]?.(), { code: 'ERR_TENANT_REVOKED' }, name)
      assert.equal(calls.length, 1, name)
    }
  })
}

test('E 45: an update whose context is revoked while its change runs writes nothing', async () => {
  const { store, context, calls } = openStore()
  const update = store.update('k', async () => {
    context.revoke()
    return 1
  })
  await assert.rejects(update, { code: 'ERR_TENANT_REVOKED' })
  assert.deepEqual(calls, [['get', '', 'k']])
})

test('E 46: a store is refused in the context of another tenant, and works in its own', async () => {
  const { store, context, calls } = openStore()
  const stranger = fakeContext(newTenantUid())
  for (const call of Object.values({ ...reads(store), ...writes(store) })) {
    await assert.rejects(runInContext(stranger, call), { code: 'ERR_TENANT_CONTEXT_FOREIGN' })
  }
  assert.deepEqual(calls, [])
  assert.equal(await runInContext(context, () => store.get('k')), undefined)
})

test('a context that may only read refuses every write before the database', async () => {
  const { store, calls } = openStore({ context: fakeContext(newTenantUid(), { mode: 'read-only' }) })
  for (const call of Object.values(writes(store))) await assert.rejects(call(), { code: 'ERR_TENANT_READ_ONLY' })
  assert.equal(calls.filter(([name]) => name !== 'get').length, 0)
  for (const call of Object.values(reads(store))) await call()
})

test('gets of one tick travel together, of one tenant, space and scope only; a lone one keeps its statement', async () => {
  const { kv, calls } = recordingPort()
  const open = (space: TenantStoreOptions['space'], context = fakeContext(newTenantUid())) =>
    createTenantStore({ context, kv, space, cursorKey, clock })
  const context = fakeContext(newTenantUid())
  const [store, again, other, kvs] = [
    open('store', context),
    open('store', context),
    open('store'),
    open('kvs', context),
  ]
  await store.set('a', { n: 1 })
  calls.length = 0
  const values = await Promise.all([
    store.get('a'),
    again.get('b'),
    store.get('a'),
    store.entry('c'),
    other.get('a'),
    kvs.get('a'),
    store.narrow('s').get('a'),
  ])
  assert.deepEqual(values, [{ n: 1 }, undefined, { n: 1 }, undefined, undefined, undefined, undefined])
  assert.notEqual(values[0], values[2])
  assert.deepEqual(calls, [
    ['getMany', '', 'a', 'b', 'c'],
    ['get', '', 'a'],
    ['get', '', 'a'],
    ['get', '1:s/', 'a'],
  ])
  calls.length = 0
  await store.get('a')
  await store.get('b')
  assert.deepEqual(calls, [
    ['get', '', 'a'],
    ['get', '', 'b'],
  ])
})

test('a tick with more gets than a statement takes makes several, and a failing one fails all that waited for it', async () => {
  const { kv, calls } = recordingPort()
  const store = createTenantStore({ context: fakeContext(newTenantUid()), kv, space: 'store', cursorKey, clock })
  await Promise.all(Array.from({ length: 450 }, (_, index) => store.get(`k${index}`)))
  assert.deepEqual(
    calls.map(call => call.length - 2),
    [200, 200, 50],
  )
  const broken = { ...kv, getMany: () => Promise.reject(new Error('down')) }
  const failing = createTenantStore({
    context: fakeContext(newTenantUid()),
    kv: broken,
    space: 'store',
    cursorKey,
    clock,
  })
  const outcomes = await Promise.allSettled(['a', 'b', 'a'].map(key => failing.get(key)))
  assert.deepEqual(
    outcomes.map(outcome => outcome.status),
    ['rejected', 'rejected', 'rejected'],
  )
})

test('E 54: an update that never gets its turn ends in ERR_UPDATE_CONTENTION', async () => {
  const { kv } = recordingPort()
  let tries = 0
  const contended: KvPort = { ...kv, set: () => Promise.reject(conflict()) }
  // Each try takes two seconds of the clock, so that the test need not.
  const fast = { now: clock.now, monotonic: () => tries * 2_000 }
  const store = createTenantStore({
    context: fakeContext(newTenantUid()),
    kv: contended,
    space: 'store',
    cursorKey,
    clock: fast,
  })
  await assert.rejects(
    store.update('k', () => ++tries),
    { code: 'ERR_UPDATE_CONTENTION', status: 503, retryAfterSeconds: 1 },
  )
  assert.equal(tries, 6)
})

test('E 54: updates of one key in one process take turns, so that none has to try again', async () => {
  const { store } = openStore()
  let runs = 0
  await Promise.all(
    Array.from({ length: 20 }, () =>
      store.update<number>('k', async (count = 0) => {
        runs++
        await new Promise(setImmediate)
        return count + 1
      }),
    ),
  )
  assert.equal(await store.get('k'), 20)
  assert.equal(runs, 20)
})
