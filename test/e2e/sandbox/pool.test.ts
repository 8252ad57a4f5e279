// Which process gets which call: spares, binding, eviction, age, policies, retirement; and what happens where there is no jail.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createTestSandbox, RUNNER } from '../../support/sandbox.ts'

const MARK = `state.mark ??= require('node:crypto').randomUUID(); return state.mark`
const eventually = async (what: string, isSo: () => boolean | Promise<boolean>) => {
  for (let n = 0; n < 400; n += 1) {
    if (await isSo()) return
    await new Promise(resolve => setTimeout(resolve, 10))
  }
  assert.fail(`not within 4 seconds: ${what}`)
}

test('a spare has evaluated the code, belongs to the first that calls it, and to nobody else ever', async t => {
  const { sandbox, program, call } = await createTestSandbox(t, { spares: 2 })
  const runner = await program(`globalThis.loadedAt = Date.now()\n${RUNNER}`)
  await sandbox.prepare(runner)
  await eventually('two spares', () => sandbox.stats().spares === 2)
  const before = Date.now()
  const loaded = (await call(runner, 'a', { code: 'return globalThis.loadedAt' })) as number
  assert.ok(loaded <= before, 'the code was evaluated before the call')
  const marks = new Map<string, string>()
  for (const name of ['a', 'b', 'c', 'a', 'b', 'c']) {
    const mark = (await call(runner, name, { code: MARK })) as string
    assert.equal(marks.get(name) ?? mark, mark)
    marks.set(name, mark)
  }
  assert.equal(new Set(marks.values()).size, 3)
  await sandbox.stopInstance('a')
  // A new process, not one that anybody had.
  assert.ok(![...marks.values()].includes((await call(runner, 'a', { code: MARK })) as string))
})

test('G 76: nothing of what a process did goes into another one: a spare is made anew, from the files', async t => {
  const { sandbox, program, call } = await createTestSandbox(t, { spares: 1 })
  const runner = await program(RUNNER)
  await sandbox.prepare(runner)
  await call(runner, 'a', {
    code: `globalThis.seen = 'by a'; Object.prototype.seen = 'by a'; require('node:module').prototype.seen = 'by a'; require('node:v8').setFlagsFromString('--allow-natives-syntax')`,
  })
  for (let n = 0; n < 5; n += 1) {
    const seen = await call(runner, `b${n}`, {
      code: `return [globalThis.seen ?? null, ({}).seen ?? null, require('node:module').prototype.seen ?? null]`,
    })
    assert.deepEqual(seen, [null, null, null])
  }
})

test('an idle process ends; so does one that is old, and one that has had its calls', async t => {
  const idle = await createTestSandbox(t, { idleMs: 200 })
  const runner = await idle.program(RUNNER)
  const first = await idle.call(runner, 'a', { code: MARK })
  await eventually('nothing is bound', () => idle.sandbox.stats().bound === 0)
  assert.notEqual(await idle.call(runner, 'a', { code: MARK }), first)

  const few = await createTestSandbox(t, { maxCalls: 2 })
  const other = await few.program(RUNNER)
  const marks = []
  for (let n = 0; n < 5; n += 1) marks.push(await few.call(other, 'a', { code: MARK }))
  assert.deepEqual(
    [marks[0] === marks[1], marks[1] === marks[2], marks[2] === marks[3], marks[3] === marks[4]],
    [true, false, true, false],
  )

  const young = await createTestSandbox(t, { maxAgeMs: 300 })
  const third = await young.program(RUNNER)
  const early = await young.call(third, 'a', { code: MARK })
  await new Promise(resolve => setTimeout(resolve, 350))
  assert.notEqual(await young.call(third, 'a', { code: MARK }), early)
})

test('the policy invocation gives each call a process that never was another’s', async t => {
  const { program, call } = await createTestSandbox(t)
  const runner = await program(RUNNER)
  const marks = await Promise.all(
    Array.from({ length: 4 }, () => call(runner, 'a', { code: MARK }, { policy: 'invocation' })),
  )
  assert.equal(new Set(marks).size, 4)
})

test('a retired program’s spares end at once, and its processes when their calls are over', async t => {
  const { sandbox, program, call } = await createTestSandbox(t)
  const runner = await program(RUNNER)
  await sandbox.prepare(runner)
  const running = call(runner, 'a', { code: 'await new Promise(done => setTimeout(done, 150)); return 1' })
  await new Promise(resolve => setTimeout(resolve, 50))
  await sandbox.retire(runner.id)
  assert.equal(sandbox.stats().spares, 0)
  assert.equal(await running, 1)
})

test('processes are limited: the one that has been idle longest makes room', async t => {
  const { sandbox, program, call } = await createTestSandbox(t, { maxProcesses: 3, spares: 0 })
  const runner = await program(RUNNER)
  for (const name of ['a', 'b', 'c', 'd', 'e']) await call(runner, name, { code: 'return 1' })
  await eventually('three at most', () => sandbox.stats().bound <= 3)
  assert.equal(await call(runner, 'a', { code: 'return state.calls' }), 1)
})

test('closing ends everything: calls are told so, and no process, file or folder is left', async t => {
  const { sandbox, program, call } = await createTestSandbox(t)
  const runner = await program(RUNNER)
  const running = call(runner, 'a', { code: 'await new Promise(() => undefined)' })
  await new Promise(resolve => setTimeout(resolve, 300))
  const refused = assert.rejects(running, { code: 'ERR_SANDBOX_STOPPED' })
  await sandbox.close()
  await refused
  await assert.rejects(call(runner, 'b', { code: 'return 1' }), { code: 'ERR_SANDBOX_STOPPED' })
  assert.deepEqual(
    readdirSync(tmpdir()).filter(name => name.startsWith(`partywall-sandbox-${process.pid}-`)),
    [],
  )
})

test('a supervisor that is killed takes every jail with it, at whatever moment', async () => {
  const script = `
    import { createTestSandbox, RUNNER } from ${JSON.stringify(fileURLToPath(new URL('../../support/sandbox.ts', import.meta.url)))}
    const { sandbox, program, call } = await createTestSandbox({ after() {} }, { spares: 2 })
    const runner = await program(RUNNER)
    await sandbox.prepare(runner)
    await call(runner, 'idle', { code: 'return 1' })
    call(runner, 'busy', { code: 'for (;;);' }).catch(() => {})
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), Number(process.env.PW_KILL_MS))`
  for (const killMs of ['0', '15', '60', '150']) {
    const child = spawn(
      process.execPath,
      ['--conditions=partywall-source', '--import', 'tsx', '--input-type=module', '-e', script],
      {
        env: { ...process.env, PW_KILL_MS: killMs },
        stdio: ['ignore', 'ignore', 'pipe'],
        cwd: fileURLToPath(new URL('../../..', import.meta.url)),
      },
    )
    const jails = new Set<number>()
    const look = setInterval(() => {
      for (const pid of descendantsOf(child.pid ?? -1)) jails.add(pid)
    }, 2)
    await new Promise(resolve => child.once('exit', resolve))
    clearInterval(look)
    assert.ok(jails.size >= 2, `only ${jails.size} processes were seen`)
    await eventually(`no jail is left after ${killMs} ms`, () => [...jails].every(pid => !isAlive(pid)))
  }
})

/** Of the process, and of those below it. */
function descendantsOf(pid: number): number[] {
  try {
    const children = readdirSync(`/proc/${pid}/task`).flatMap(task =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number),
    )
    return children.flatMap(child => [child, ...descendantsOf(child)])
  } catch {
    // It has ended while it was looked at.
    return []
  }
}

/** One that has ended and waits for its parent to notice counts as ended. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    // There is no such process any more.
    return false
  }
}

test('where there is no jail functions run as plain processes, which is said loudly, and refused in production', async t => {
  const { sandbox, log, program, call } = await createTestSandbox(t, { isolation: 'process' })
  assert.equal(sandbox.boundary, 'none')
  assert.match(JSON.stringify(log), /NOT ISOLATED/)
  const runner = await program(RUNNER)
  process.env.PW_TEST_PLAIN = 'of the host'
  assert.deepEqual(await call(runner, 'a', { code: 'return [1 + 1, process.env.PW_TEST_PLAIN ?? null]' }), [2, null])
  delete process.env.PW_TEST_PLAIN
  await assert.rejects(createTestSandbox(t, { isolation: 'process', production: true }), {
    code: 'ERR_SANDBOX_UNAVAILABLE',
  })
  const before = process.env.PATH
  process.env.PATH = '/nowhere'
  try {
    await assert.rejects(createTestSandbox(t, { isolation: 'jail' }), /bubblewrap \(bwrap\) is not installed/)
    await assert.rejects(createTestSandbox(t, { production: true }), { code: 'ERR_SANDBOX_UNAVAILABLE' })
    assert.equal((await createTestSandbox(t)).sandbox.boundary, 'none')
  } finally {
    process.env.PATH = before
  }
})
