// The code of docs/guide/simulated-host.md runs as it stands, with the package's public name, and says what it claims. Its
// blocks are one program.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { read, root } from '../support/documents.ts'

test('the guide to the simulated host runs', async () => {
  const blocks = [...read('docs/guide/simulated-host.md').matchAll(/```js\n(.*?)```/gs)].map(([, code = '']) => code)
  const code = blocks.join('\n')
  const flags = ['--conditions=partywall-source', '--import', 'tsx', '--input-type=module', '--eval', code]
  const { stdout } = await promisify(execFile)(process.execPath, flags, { cwd: root, timeout: 60_000 })
  const promised = [...code.matchAll(/console\.log\(.*\) +\/\/ (.*)/g)].map(match => match[1])
  assert.deepEqual([blocks.length, promised.length], [8, 13])
  assert.deepEqual(stdout.trim().split('\n'), promised)
})
