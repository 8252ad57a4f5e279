import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAccessLog } from '../../../src/core/access-log.ts'

const capture = (options: { flushMs?: number; flushAt?: number } = {}) => {
  const writes: string[] = []
  return { writes, log: createAccessLog({ ...options, destination: { write: lines => writes.push(lines) } }) }
}

test('one request is one JSON line, without its query', () => {
  const { writes, log } = capture()
  log.add('tenant-a', 'GET', '/addon/page?signed_request=eyJabc&x=1', 200, 1.23456)
  log.add(undefined, 'POST', '/addon/webhook#x', 401, 0.5)
  log.flush()
  const lines = writes
    .join('')
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))
  assert.deepEqual(
    lines.map(({ time, ...others }) => ({ ...others, isRecent: Math.abs(Date.parse(time) - Date.now()) < 60_000 })),
    [
      {
        level: 'info',
        event: 'request',
        tenant: 'tenant-a',
        method: 'GET',
        path: '/addon/page',
        status: 200,
        ms: 1.235,
        isRecent: true,
      },
      { level: 'info', event: 'request', method: 'POST', path: '/addon/webhook', status: 401, ms: 0.5, isRecent: true },
    ],
  )
})

test('H 83: a path cannot break its line or carry a token', () => {
  const { writes, log } = capture()
  const jwt = 'eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJ0In0.c2lnbmF0dXJl'
  log.add('a"b\n', 'GE"T', `/x"}\n{"level":"error"\u2028/${jwt}`, 200, 1)
  log.flush()
  const [text = ''] = writes
  assert.equal(text.split(/[\n\u2028]/).length, 2)
  assert.ok(!text.includes(jwt))
  assert.equal(JSON.parse(text).tenant, 'a"b\n')
  assert.ok(JSON.parse(text).path.startsWith('/x"}'))
})

test('lines are written together: after the wait, at the size, or when asked', t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { writes, log } = capture({ flushMs: 20, flushAt: 400 })
  log.add('t', 'GET', '/a', 200, 1)
  log.add('t', 'GET', '/b', 200, 1)
  t.mock.timers.tick(19)
  assert.equal(writes.length, 0)
  t.mock.timers.tick(1)
  assert.equal(writes.length, 1)
  assert.equal(writes[0]?.trimEnd().split('\n').length, 2)
  for (let count = 0; count < 4; count++) log.add('t', 'GET', '/c', 200, 1)
  assert.equal(writes.length, 2)
  log.flush()
  log.flush()
  assert.equal(writes.length, 2)
})
