// What hostile code can do to its own call, and cannot do to others: it ends with a coded error, the neighbour answers as before.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isPartywallError } from '../../../src/core/errors.ts'
import type { Program } from '../../../src/sandbox/types.ts'
import { type CallMore, createTestSandbox, RUNNER, type TestSandbox } from '../../support/sandbox.ts'

const LIMITS = { wallMs: 1_500, cpuMs: 500 }

/** Each ends the call that does it. */
const ATTACKS: readonly {
  readonly name: string
  readonly code: string
  readonly expected: RegExp
  readonly limits?: CallMore['limits']
}[] = [
  { name: 'an infinite loop', code: 'for (;;);', expected: /^ERR_SANDBOX_(?:CPU|TIMEOUT)$/ },
  {
    name: 'an infinite loop of promises',
    code: 'const spin = () => Promise.resolve().then(spin); await spin()',
    expected: /^ERR_SANDBOX_(?:CPU|TIMEOUT)$/,
  },
  {
    name: 'a promise that never settles',
    code: 'return new Promise(() => undefined)',
    expected: /^ERR_SANDBOX_TIMEOUT$/,
  },
  {
    name: 'a heap bomb',
    code: 'const all = []; for (;;) all.push(new Array(1e5).fill(Math.random()))',
    expected: /^ERR_SANDBOX_MEMORY$/,
    limits: { wallMs: 20_000, cpuMs: 20_000 },
  },
  {
    name: 'a Buffer bomb',
    code: 'const all = []; for (;;) all.push(Buffer.alloc(16 << 20, 1))',
    expected: /^ERR_SANDBOX_(?:MEMORY|CALL)$/,
    limits: { wallMs: 20_000, cpuMs: 20_000 },
  },
  {
    name: 'a text bomb',
    code: `let text = 'x'; for (;;) text = text.repeat(2) + text.length`,
    expected: /^ERR_SANDBOX_(?:MEMORY|CALL|CPU)$/,
    limits: { wallMs: 20_000, cpuMs: 20_000 },
  },
  {
    name: 'a fork',
    code: `await new Promise((_, no) => require('node:child_process').spawn('/node').on('error', no))`,
    expected: /^ERR_SANDBOX_CALL$/,
  },
  { name: 'process.exit', code: 'process.exit(0)', expected: /^ERR_SANDBOX_EXITED$/ },
  { name: 'process.abort', code: 'process.abort()', expected: /^ERR_SANDBOX_EXITED$/ },
  {
    name: 'SIGSEGV',
    code: `process.kill(process.pid, 'SIGSEGV'); await new Promise(() => undefined)`,
    expected: /^ERR_SANDBOX_EXITED$/,
  },
  {
    name: 'SIGKILL of everything',
    code: `try { process.kill(1, 'SIGKILL') } catch {} process.kill(process.pid, 'SIGKILL'); await new Promise(() => undefined)`,
    expected: /^ERR_SANDBOX_EXITED$/,
  },
  {
    name: 'an uncaught error of a timer',
    code: `setTimeout(() => { throw new Error('late') }); await new Promise(() => undefined)`,
    expected: /^ERR_SANDBOX_(?:EXITED|TIMEOUT)$/,
  },
  {
    name: 'a closed channel',
    code: `require('node:fs').closeSync(3); await new Promise(done => setTimeout(done, 100)); return 1`,
    expected: /^ERR_SANDBOX_(?:EXITED|TIMEOUT)$/,
  },
  {
    name: 'a frame of 100 MB',
    code: `const fs = require('node:fs'); const head = Buffer.alloc(4); head.writeUInt32LE(100 << 20); fs.writeSync(3, head); const chunk = Buffer.alloc(1 << 16, 120); for (;;) { try { fs.writeSync(3, chunk) } catch (error) { if (error.code !== 'EAGAIN') throw error; await new Promise(done => setTimeout(done, 1)) } }`,
    expected: /^ERR_SANDBOX_(?:OUTPUT|EXITED)$/,
    limits: { wallMs: 10_000, cpuMs: 10_000 },
  },
  {
    name: 'an answer that is too long',
    code: `return 'x'.repeat(6 << 20)`,
    expected: /^ERR_SANDBOX_OUTPUT$/,
    limits: { wallMs: 10_000, cpuMs: 10_000 },
  },
  {
    name: 'a line of 100 MB on standard output',
    code: `const fs = require('node:fs'); const chunk = Buffer.alloc(1 << 16, 120); for (let n = 0; n < 1600; n++) { try { fs.writeSync(1, chunk) } catch (error) { if (error.code !== 'EAGAIN') throw error; n--; await new Promise(done => setTimeout(done, 1)) } } return 'done'`,
    expected: /^ERR_SANDBOX_OUTPUT$/,
    limits: { wallMs: 20_000, cpuMs: 20_000 },
  },
  {
    name: 'frames that are no messages',
    code: `const fs = require('node:fs'); const body = Buffer.from('[1,2]'); const head = Buffer.alloc(4); head.writeUInt32LE(body.length); fs.writeSync(3, Buffer.concat([head, body])); await new Promise(() => undefined)`,
    expected: /^ERR_SANDBOX_EXITED$/,
  },
]

const codeOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    value => `answered ${JSON.stringify(value)?.slice(0, 60)}`,
    (error: unknown) => (isPartywallError(error) ? error.code : String(error)),
  )

test('G 70, G 75: each attack ends its own call with a coded error; the neighbour’s median stays below twice its quiet value', async t => {
  const box = await createTestSandbox(t, { spares: 2 })
  const runner = await box.program(RUNNER, 128)
  await box.sandbox.prepare(runner)
  const neighbour = createNeighbour(box, runner)
  await neighbour.measure(200)
  const quiet: number[] = []
  const loud: number[] = []
  for (const { name, code, expected, limits } of ATTACKS) {
    quiet.push(...(await neighbour.measure(40)))
    const attack = codeOf(box.call(runner, `attacker ${name}`, { code }, { limits: { ...LIMITS, ...limits } }))
    loud.push(...(await neighbour.measureUntil(attack)))
    assert.match(await attack, expected, name)
    assert.equal(await box.call(runner, 'neighbour', { code: 'return state.kept' }), 'kept', name)
  }
  const ratio = median(loud) / median(quiet)
  t.diagnostic(
    `neighbour: median ${median(quiet).toFixed(2)} ms quiet, ${median(loud).toFixed(2)} ms beside attacks, ratio ${ratio.toFixed(2)} over ${loud.length} calls`,
  )
  assert.ok(ratio < 2, `the neighbour took ${ratio.toFixed(2)} times as long`)
})

/** Between calls, quiet or not: a call into a process that has just answered is another thing than one that wakes it. */
const pause = () => new Promise(resolve => setTimeout(resolve, 2))

function createNeighbour(box: TestSandbox, runner: Program) {
  const once = async () => {
    const startedAt = performance.now()
    await box.call(runner, 'neighbour', { code: `state.kept = 'kept'; return payload`, value: { n: 1 } })
    return performance.now() - startedAt
  }
  return {
    async measure(count: number) {
      const times: number[] = []
      for (let n = 0; n < count; n += 1) {
        times.push(await once())
        await pause()
      }
      return times
    },
    async measureUntil(end: Promise<unknown>) {
      const times: number[] = []
      let hasEnded = false
      void end.finally(() => {
        hasEnded = true
      })
      while (!hasEnded) {
        times.push(await once())
        await pause()
      }
      return times
    },
  }
}

const median = (values: readonly number[]): number =>
  [...values].sort((one, other) => one - other)[values.length >> 1] ?? Number.NaN

test('G 70: a flood of log lines is cut, and said once; the call goes on', async t => {
  const box = await createTestSandbox(t)
  const runner = await box.program(RUNNER)
  const lines: string[] = []
  const answer = await box.call(
    runner,
    'a',
    { code: `for (let n = 0; n < 5000; n++) console.log('line ' + n + ' \\u001b[31m\\n\\u0007'); return 'done'` },
    { onLog: ({ text }) => lines.push(text) },
  )
  assert.equal(answer, 'done')
  assert.equal(lines.length, 101)
  assert.match(lines[100] ?? '', /limit of log lines/)
  // No terminal obeys what a tenant logs.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  assert.doesNotMatch(lines.join(''), /[\u0000-\u0009\u000b-\u001f]/)
  const bytes: string[] = []
  await box.call(
    runner,
    'a',
    { code: `console.log('x'.repeat(300 * 1024))` },
    { onLog: ({ text }) => bytes.push(text) },
  )
  assert.ok(Buffer.byteLength(bytes.join('')) < 210 * 1024)
})

test('G 70: requests to outside are counted: those beyond the limit are refused, with a code', async t => {
  const box = await createTestSandbox(t)
  const runner = await box.program(RUNNER)
  let asked = 0
  const code = `let refused = 0; for (let n = 0; n < 15; n++) await api.request('x', n).catch(error => { if (error.code === 'ERR_SANDBOX_REQUESTS') refused++ }); return refused`
  const refused = await box.call(runner, 'a', { code }, { limits: { requests: 10 }, onRequest: async () => ++asked })
  assert.deepEqual([refused, asked], [5, 10])
})

test('G 70: calls of one instance take turns; too many that wait are refused at once', async t => {
  const box = await createTestSandbox(t, { maxWaiting: 3 })
  const runner = await box.program(RUNNER)
  await box.call(runner, 'a', { code: 'return 1' })
  const code = `state.now = (state.now ?? 0) + 1; state.most = Math.max(state.most ?? 0, state.now); await new Promise(done => setTimeout(done, 30)); state.now -= 1; return state.most`
  const calls = await Promise.all(Array.from({ length: 6 }, () => codeOf(box.call(runner, 'a', { code }))))
  assert.deepEqual(calls.filter(one => one === 'answered 1').length, 4)
  assert.deepEqual(calls.filter(one => one === 'ERR_SANDBOX_BUSY').length, 2)
})

test('G 71: after the answer nothing works: timers and loops stand still, and what they ask for is refused', async t => {
  const box = await createTestSandbox(t)
  const runner = await box.program(RUNNER)
  let asked = 0
  const onRequest = async () => ++asked
  const start = `state.ticks = 0; state.refused = []; setInterval(() => { state.ticks++; api.request('late', null).catch(error => state.refused.push(error.code)) }, 1); await new Promise(done => setTimeout(done, 20)); return state.ticks`
  const during = await box.call(runner, 'a', { code: start }, { onRequest })
  const askedDuring = asked
  await new Promise(resolve => setTimeout(resolve, 300))
  const later = (await box.call(
    runner,
    'a',
    { code: 'return { ticks: state.ticks, refused: state.refused }' },
    { onRequest },
  )) as { ticks: number; refused: string[] }
  assert.ok(later.ticks - Number(during) < 20, `${later.ticks - Number(during)} ticks in 300 ms after the answer`)
  assert.ok(asked - askedDuring <= 1)
  assert.ok(later.refused.every(code => code === 'ERR_SANDBOX_NO_CALL'))
})

test('G 71: a call ends when its caller’s signal does, and its process with it', async t => {
  const box = await createTestSandbox(t)
  const runner = await box.program(RUNNER)
  const controller = new AbortController()
  const call = codeOf(
    box.call(
      runner,
      'a',
      { code: 'state.old = true; await new Promise(() => undefined)' },
      { signal: controller.signal },
    ),
  )
  setTimeout(() => controller.abort(), 50)
  assert.equal(await call, 'ERR_SANDBOX_STOPPED')
  assert.equal(await box.call(runner, 'a', { code: 'return state.old ?? false' }), false)
})

test('G 75: an instance that crashes again and again is held back; others are served, and it comes back', async t => {
  const box = await createTestSandbox(t)
  const runner = await box.program(RUNNER)
  const crash = () => codeOf(box.call(runner, 'crasher', { code: 'process.exit(1)' }))
  const codes: string[] = []
  for (let n = 0; n < 6; n += 1) codes.push(await crash())
  assert.deepEqual(codes.slice(0, 3), ['ERR_SANDBOX_EXITED', 'ERR_SANDBOX_EXITED', 'ERR_SANDBOX_EXITED'])
  assert.ok(codes.includes('ERR_SANDBOX_BACKOFF'), codes.join())
  assert.equal(await box.call(runner, 'other', { code: 'return 1' }), 1)
  await new Promise(resolve => setTimeout(resolve, 1_000))
  assert.equal(await box.call(runner, 'crasher', { code: 'return 1' }), 1)
})

test('what was thrown comes out as name and message, also what nobody can print', async t => {
  const box = await createTestSandbox(t)
  const runner = await box.program(RUNNER)
  const thrown = (code: string) =>
    box.call(runner, 'a', { code }).then(
      () => assert.fail('it answered'),
      (error: { code: string; details?: { name: string; message: string } }) => [
        error.code,
        error.details?.name,
        error.details?.message,
      ],
    )
  assert.deepEqual(await thrown(`throw new RangeError('too far')`), ['ERR_SANDBOX_CALL', 'RangeError', 'too far'])
  assert.deepEqual(await thrown(`throw 'a text'`), ['ERR_SANDBOX_CALL', 'Error', 'a text'])
  assert.equal((await thrown(`throw { get message() { throw 1 }, toString() { throw 2 } }`))[0], 'ERR_SANDBOX_CALL')
  assert.equal(
    (await thrown(`throw Object.defineProperty(new Error('x'), 'message', { get() { throw new Error('y') } })`))[0],
    'ERR_SANDBOX_CALL',
  )
  assert.equal(await box.call(runner, 'a', { code: 'return 1' }), 1)
})

test('code that fails or never ends while it loads is refused with its reason', async t => {
  const box = await createTestSandbox(t)
  const broken = await box.program(`throw new Error('at load')`)
  assert.equal(await codeOf(box.sandbox.prepare(broken)), 'ERR_SANDBOX_LOAD')
  assert.equal(await codeOf(box.call(broken, 'a')), 'ERR_SANDBOX_LOAD')
  const exits = await box.program('process.exit(3)')
  assert.match(await codeOf(box.call(exits, 'a')), /^ERR_SANDBOX_(?:EXITED|LOAD)$/)
  const wrong = await box.program('module.exports = 7')
  assert.equal(await codeOf(box.call(wrong, 'a')), 'ERR_SANDBOX_LOAD')
})
