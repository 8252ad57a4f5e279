// Control groups, where this machine lets this user make them: what is put in is counted together, and ended when it is too much.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { openControlGroups } from '../../../src/sandbox/jail/control-groups.ts'
import { createTestSandbox, RUNNER } from '../../support/sandbox.ts'

const MB = 1024 * 1024

test('G 70: the memory of a jail is counted by the kernel where it has control groups for us, and none is left behind', async t => {
  const groups = openControlGroups()
  if (groups === undefined) {
    // Nothing to try: containers mostly have them read-only. The other limits are what limits.test.ts is about.
    t.diagnostic('this machine has no control groups for this user')
    return
  }
  const group = groups.create(64 * MB)
  const child = spawn(
    process.execPath,
    [
      '-e',
      'process.stdin.once("data", () => { const all = []; for (;;) all.push(Buffer.alloc(MB_8, 1)) })'.replace(
        'MB_8',
        String(8 * MB),
      ),
    ],
    { stdio: ['pipe', 'ignore', 'ignore'] },
  )
  const ended = new Promise<NodeJS.Signals | null>(resolve => child.once('exit', (_, signal) => resolve(signal)))
  group.add(child.pid ?? -1)
  const [, own = ''] = /partywall-\d+\/(\d+)/.exec(readFileSync(`/proc/${child.pid}/cgroup`, 'utf8')) ?? []
  assert.notEqual(own, '')
  child.stdin.write('go')
  assert.equal(await ended, 'SIGKILL')
  assert.equal(group.hasRunOutOfMemory(), true)
  group.remove()
  groups.close()

  const { sandbox, program, call } = await createTestSandbox(t)
  const runner = await program(RUNNER)
  const seen = String(
    await call(runner, 'a', { code: `return require('node:fs').readFileSync('/proc/self/cgroup', 'utf8')` }),
  )
  assert.match(seen, new RegExp(`partywall-${process.pid}/\\d+`))
  await sandbox.close()
  for (const folder of ['/sys/fs/cgroup/memory', '/sys/fs/cgroup/pids', '/sys/fs/cgroup']) {
    assert.equal(existsSync(`${folder}/partywall-${process.pid}`), false, folder)
  }
})
