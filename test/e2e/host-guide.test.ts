// The code of docs/guide/simulated-host.md runs as it stands, with the package's public name, and says what it claims.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const root = fileURLToPath(new URL('../..', import.meta.url))

test('the guide to the simulated host runs', async () => {
  const guide = readFileSync(`${root}docs/guide/simulated-host.md`, 'utf8')
  const code = /```js\n(.*?)```/s.exec(guide)?.[1] ?? ''
  const flags = ['--conditions=partywall-source', '--import', 'tsx', '--input-type=module', '--eval', code]
  const { stdout } = await promisify(execFile)(process.execPath, flags, { cwd: root, timeout: 60_000 })
  const promised = [...code.matchAll(/console\.log\(.*\) +\/\/ (.*)/g)].map(match => match[1])
  assert.equal(promised.length, 3)
  assert.deepEqual(stdout.trim().split('\n'), promised)
})
