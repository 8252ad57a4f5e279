// What of one instance another can see: nothing, in whatever order they are called.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTestSandbox, RUNNER } from '../../support/sandbox.ts'

/** Leaves something in every place that outlives a call, and says what it found there. */
const LEAVE_AND_LOOK = `
  const fs = require('node:fs')
  const found = {
    module: state.list ?? [],
    global: globalThis.left ?? null,
    prototype: Object.prototype.left ?? null,
    environment: process.env.LEFT ?? null,
    file: fs.existsSync('/tmp/left') ? fs.readFileSync('/tmp/left', 'utf8') : null,
    required: require('node:path').left ?? null,
    timer: state.ticks ?? 0,
    title: process.title,
    folder: process.cwd(),
  }
  state.list = [...(state.list ?? []), payload]
  globalThis.left = payload
  Object.defineProperty(Object.prototype, 'left', { value: payload, configurable: true, enumerable: false, writable: true })
  process.env.LEFT = payload
  fs.writeFileSync('/tmp/left', payload)
  require('node:path').left = payload
  process.title = payload
  process.chdir('/tmp')
  state.timer ??= setInterval(() => { state.ticks = (state.ticks ?? 0) + 1 }, 1)
  return found
`

const CLEAN = {
  module: [],
  global: null,
  prototype: null,
  environment: null,
  file: null,
  required: null,
  timer: 0,
  folder: '/app',
}

test('G 67: each instance runs in an operating-system process of its own, which is not the server’s', async t => {
  const { sandbox, program, call } = await createTestSandbox(t)
  assert.equal(sandbox.boundary, 'bubblewrap')
  const runner = await program(RUNNER)
  const code = `state.mark ??= require('node:crypto').randomUUID(); return { mark: state.mark, pid: process.pid, server: require('node:fs').existsSync('/proc/${process.pid}') }`
  const marks = (await Promise.all(['a', 'b', 'c'].map(one => call(runner, one, { code })))) as {
    mark: string
    pid: number
    server: boolean
  }[]
  assert.equal(new Set(marks.map(({ mark }) => mark)).size, 3)
  // In its own process namespace it sees itself and bubblewrap’s first process.
  for (const { pid, server } of marks) assert.deepEqual([pid < 10, server], [true, process.pid < 10])
  assert.equal(sandbox.stats().bound, 3)
  const again = (await call(runner, 'a', { code })) as { mark: string }
  assert.equal(again.mark, marks[0]?.mark)
})

test('G 68: A, then B, then A: nothing of A is visible to B, and A finds its own again', async t => {
  const { program, call } = await createTestSandbox(t)
  const runner = await program(RUNNER)
  const look = (instance: string) =>
    call(runner, instance, { code: LEAVE_AND_LOOK, value: `of ${instance}` }) as Promise<Record<string, unknown>>
  const { title: _, ...first } = await look('a')
  assert.deepEqual(first, CLEAN)
  const { title: titleOfB, ...other } = await look('b')
  assert.deepEqual(other, CLEAN)
  assert.doesNotMatch(String(titleOfB), /of a/)
  const again = await look('a')
  assert.deepEqual([again.module, again.global, again.file], [['of a'], 'of a', 'of a'])
  // The same instance, fresh for each call.
  const fresh = () =>
    call(runner, 'a', { code: LEAVE_AND_LOOK, value: 'of a' }, { policy: 'invocation' }) as Promise<
      Record<string, unknown>
    >
  await fresh()
  const { title: __, ...second } = await fresh()
  assert.deepEqual(second, CLEAN)
})

test('two instances, 10,000 interleaved calls: each sees its own entries and files alone', async t => {
  const { sandbox, program, call } = await createTestSandbox(t, { maxCalls: 100_000 })
  const runner = await program(`
    const fs = require('node:fs')
    const list = []
    let last = ''
    module.exports = api => async value => {
      list.push(value)
      const before = last
      last = value
      if (list.length % 100 === 1) fs.writeFileSync('/tmp/note', value)
      return { before, count: list.length, foreign: list.filter(one => one[0] !== value[0]).length, file: fs.readFileSync('/tmp/note', 'latin1')[0] }
    }`)
  await sandbox.prepare(runner)
  const last = { a: '', b: '' }
  const counts = { a: 0, b: 0 }
  for (let n = 0; n < 5_000; n += 1) {
    await Promise.all(
      (['a', 'b'] as const).map(async name => {
        const value = `${name}${n}`
        const seen = await call(runner, name, value)
        counts[name] += 1
        assert.deepEqual(seen, { before: last[name], count: counts[name], foreign: 0, file: name })
        last[name] = value
      }),
    )
  }
  assert.deepEqual(counts, { a: 5_000, b: 5_000 })
})

test('under the policy shared the same process serves both, which is how leaks are found', async t => {
  const { program, call } = await createTestSandbox(t)
  const runner = await program(RUNNER)
  const push = (instance: string) =>
    call(
      runner,
      instance,
      { code: 'return (state.list = [...(state.list ?? []), payload])', value: instance },
      { policy: 'shared' },
    )
  await push('a')
  assert.deepEqual(await push('b'), ['a', 'b'])
})

test('G 74: who calls is said by the channel and not by what is sent: a forged message reaches nobody else’s call', async t => {
  const { program, call } = await createTestSandbox(t)
  const runner = await program(RUNNER)
  const asked: string[] = []
  const ask = (instance: string, code: string) =>
    call(
      runner,
      instance,
      { code },
      {
        onRequest: async (name, payload) => {
          asked.push(`${instance}: ${name} ${JSON.stringify(payload)}`)
          return `of ${instance}`
        },
      },
    )
  assert.equal(await ask('a', `return api.request('who', { instance: 'b', tenant: 'b' })`), 'of a')
  assert.equal(await ask('b', `return api.request('who', { instance: 'a' })`), 'of b')
  // Raw frames on the channel, with numbers of calls that are not its own: at most it ends itself.
  const forged = `
    const frame = message => { const body = Buffer.from(JSON.stringify(message)); const head = Buffer.alloc(4); head.writeUInt32LE(body.length); return Buffer.concat([head, body]) }
    for (let id = 0; id < 50; id++) require('node:fs').writeSync(3, frame({ type: 'request', id: 1000 + id, call: id + 5, name: 'who', payload: {} }))
    return 'sent'`
  const both = await Promise.allSettled([
    ask('a', forged),
    ask('b', `await new Promise(done => setTimeout(done, 50)); return api.request('mine', null)`),
  ])
  assert.equal(both[1].status === 'fulfilled' && both[1].value, 'of b')
  assert.deepEqual(
    asked.filter(line => !/^(a: who|b: who|b: mine)/.test(line)),
    [],
  )
  assert.equal(asked.filter(line => line.startsWith('b: ')).length, 2)
})
