import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PartywallError } from '../../../src/core/errors.ts'
import { createAppGuard } from '../../../src/http/app-guard.ts'
import type { Guard, Guarded, RequestView } from '../../../src/http/view.ts'

const viewOf = (target: string): RequestView => ({
  method: 'GET',
  target,
  remoteAddress: undefined,
  header: () => undefined,
  headerNames: () => [],
  headerValues: () => [],
  body: async () => Buffer.alloc(0),
})
const guarded: Guarded = {
  properties: {},
  tenant: 'a',
  run: work => work(),
  ensureLive: () => undefined,
  headers: () => [],
  release: () => undefined,
}

function setUp(guard: Guard, isOpen = true) {
  const answers: string[] = []
  const errors: unknown[] = []
  const surrounded = createAppGuard(guard, {
    ensureOpen() {
      if (!isOpen) throw new PartywallError('ERR_SHUTTING_DOWN')
    },
    onError: error => errors.push(error),
    onAnswer: ({ view, status, tenant }) => answers.push(`${tenant} ${view.target} ${status}`),
  })
  return { surrounded, answers, errors }
}

test('a guard that answers at once costs no promise, and the log hears when the response has ended, once', () => {
  const { surrounded, answers } = setUp(() => guarded)
  const admitted = surrounded(viewOf('/x'))
  assert.ok(!(admitted instanceof Promise))
  assert.deepEqual(answers, [])
  admitted.release(204)
  admitted.release(204)
  assert.deepEqual(answers, ['a /x 204'])
})

test('refusals are told to the log, at once and later; only those of ours are errors', async () => {
  const refusals = { '/now': 'ERR_TOKEN_MISSING', '/later': 'ERR_STORE_UNAVAILABLE' } as const
  const { surrounded, answers, errors } = setUp(({ target }) => {
    const error = new PartywallError(refusals[target as keyof typeof refusals])
    if (target === '/now') throw error
    return Promise.reject(error)
  })
  assert.throws(() => surrounded(viewOf('/now')), { code: 'ERR_TOKEN_MISSING' })
  await assert.rejects(async () => surrounded(viewOf('/later')), { code: 'ERR_STORE_UNAVAILABLE' })
  assert.deepEqual(answers, ['undefined /now 401', 'undefined /later 503'])
  assert.equal(errors.length, 1)
})

test('an error of another kind becomes ERR_INTERNAL, and the log hears of the error itself', () => {
  const { surrounded, errors } = setUp(() => {
    throw new Error('a bug')
  })
  assert.throws(() => surrounded(viewOf('/x')), { code: 'ERR_INTERNAL' })
  assert.match(String(errors[0]), /a bug/)
})

test('an app that closes, and H 81: a target in another form, never reach the guard', () => {
  const never: Guard = () => assert.fail('reached')
  assert.throws(() => setUp(never, false).surrounded(viewOf('/x')), { code: 'ERR_SHUTTING_DOWN' })
  for (const target of ['//x', 'http://x/y', '/x#y', '*', '/\\x']) {
    assert.throws(() => setUp(never).surrounded(viewOf(target)), { code: 'ERR_REQUEST_TARGET' })
  }
})

test('errors of handlers are reported where they are not the caller’s', () => {
  const { surrounded, errors } = setUp(() => guarded)
  const admitted = surrounded(viewOf('/x'))
  assert.ok(!(admitted instanceof Promise))
  admitted.report?.(new PartywallError('ERR_VERSION_CONFLICT'))
  admitted.report?.(new Error('a bug'))
  assert.equal(errors.length, 1)
})
