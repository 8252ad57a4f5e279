// One piece of work and how it ends: time limits, contexts that have no effects any more, work of identities that have ended.
import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { createBinder } from '../../../src/core/bind.ts'
import type { TenantContext } from '../../../src/core/context.ts'
import { isPartywallError } from '../../../src/core/errors.ts'
import type { Registry, Work, WorkHandler } from '../../../src/core/ports.ts'
import type { IdentityRecord } from '../../../src/core/tenant.ts'
import { executeWork, type HeldWork } from '../../../src/jobs/execution.ts'
import { createHandlerTable } from '../../../src/jobs/handlers.ts'
import { newIdentityRecord } from '../../support/identity.ts'
import { silent } from '../../support/registry.ts'

// The time limit does not keep a process alive by itself; in a real one the server does.
let alive: NodeJS.Timeout
beforeEach(() => {
  alive = setInterval(() => undefined, 1_000)
})
afterEach(() => clearInterval(alive))

const isCode = (error: unknown, code: string) => isPartywallError(error) && error.code === code

function setUp(identity: IdentityRecord, handler: WorkHandler, mode?: 'read-only') {
  const registry: Pick<Registry, 'findByUid' | 'isCurrent' | 'onRevoked' | 'onLapsed'> = {
    findByUid: async () => identity,
    isCurrent: () => true,
    onRevoked: () => () => undefined,
    onLapsed: () => () => undefined,
  }
  const handlers = createHandlerTable()
  handlers.set('test', handler, mode)
  const binder = createBinder({ registry, logger: silent })
  const work: HeldWork = {
    table: 'inbox',
    tenant: identity.tenantUid,
    id: identity.uid,
    identity: identity.uid,
    handler: 'test',
    attempts: 0,
    maxAttempts: 8,
    payload: '{"a":1}',
  }
  return { binder, run: () => executeWork(work, { registry, binder, handlers, handlerTimeoutMs: 30 }) }
}

test('D 44: a handler whose time is over is aborted with the reason, and its context has no effects any more', async () => {
  const seen: { work?: Work; context?: TenantContext; effect?: unknown } = {}
  let ended = (): void => undefined
  const end = new Promise<void>(resolve => {
    ended = resolve
  })
  const { binder, run } = setUp(newIdentityRecord(), async (work, context) => {
    Object.assign(seen, { work, context })
    // Ignores its signal, as many would.
    await delay(80)
    try {
      await context.ensureLive()
    } catch (error) {
      seen.effect = error
    }
    ended()
  })
  const outcome = await run()
  assert.ok(outcome.kind === 'again' && isCode(outcome.error, 'ERR_HANDLER_TIMEOUT'))
  assert.ok(isCode(seen.work?.signal.reason, 'ERR_HANDLER_TIMEOUT'))
  assert.equal(seen.context?.signal.aborted, true)
  assert.equal(binder.running, 0)
  await end
  assert.ok(isCode(seen.effect, 'ERR_HANDLER_TIMEOUT'))
})

test('a handler that makes an error of its signal still counts as timed out', async () => {
  const { run } = setUp(
    newIdentityRecord(),
    ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('stopped')))),
  )
  const outcome = await run()
  assert.ok(outcome.kind === 'again' && isCode(outcome.error, 'ERR_HANDLER_TIMEOUT'))
})

test('a handler that ends in time keeps a signal that was never aborted', async () => {
  let signal: AbortSignal | undefined
  const { run } = setUp(newIdentityRecord(), async work => {
    signal = work.signal
  })
  assert.deepEqual(await run(), { kind: 'done' })
  await delay(60)
  assert.equal(signal?.aborted, false)
})

for (const [name, facts, mode, expected] of [
  ['work of an identity that has ended is dead', { state: 'uninstalled' }, undefined, 'dead'],
  ['work of a disabled identity is dead', { state: 'disabled' }, undefined, 'dead'],
  ['work of a tenant on hold waits', { hold: 'moving' }, undefined, 'later'],
  ['a farewell runs for an identity that has ended', { state: 'uninstalled' }, 'read-only', 'done'],
  ['a farewell of an identity that is back is dead', {}, 'read-only', 'dead'],
  ['a farewell of a replaced identity is dead', { state: 'retired' }, 'read-only', 'dead'],
  [
    'a farewell of a tenant that is being erased waits',
    { state: 'uninstalled', hold: 'erasing' },
    'read-only',
    'later',
  ],
] as const) {
  test(`D 44: ${name}`, async () => {
    let ranIn: string | undefined
    const { run } = setUp(
      newIdentityRecord(facts),
      async (_, context) => {
        ranIn = context.mode
      },
      mode,
    )
    assert.equal((await run()).kind, expected)
    assert.equal(ranIn, expected === 'done' ? mode : undefined)
  })
}
