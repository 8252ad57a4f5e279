// `partywall forge`: develop for several tenants, call, report; as a developer types it.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { createServer } from 'node:net'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { forgePackages, updateForgeApp, writeForgeApp } from '../../support/forge-packages.ts'
import { manifestOf } from '../../support/forge-world.ts'
import { freePort, isFree } from '../../support/free-port.ts'

const { folder: packages, skip } = await forgePackages('8.3')
const root = fileURLToPath(new URL('../../../', import.meta.url))
const MAIN = ['--conditions=partywall-source', '--import', 'tsx', path.join(root, 'src/cli/main.ts')]

interface Ran {
  readonly code: number | null
  readonly out: string
  readonly error: string
}

function start(arguments_: readonly string[]): {
  readonly child: ChildProcess
  readonly ended: Promise<Ran>
  out(): string
} {
  const child = spawn(process.execPath, [...MAIN, 'forge', ...arguments_], { cwd: root })
  let out = ''
  let error = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    out += chunk.toString('utf8')
  })
  child.stderr?.on('data', (chunk: Buffer) => {
    error += chunk.toString('utf8')
  })
  const ended = new Promise<Ran>(resolve => child.once('close', code => resolve({ code, out, error })))
  return { child, ended, out: () => out + error }
}
const run = (...arguments_: string[]) => start(arguments_).ended

const SOURCE = `
import { kvs } from '@forge/kvs'
import Resolver from '@forge/resolver'
const resolver = new Resolver()
resolver.define('count', async ({ payload }) => {
  const count = ((await kvs.get('count')) ?? 0) + payload.by
  await kvs.set('count', count)
  console.log('counted to ' + count)
  return { count }
})
resolver.define('fail', () => { throw new Error('on purpose') })
export const handler = resolver.getDefinitions()
`
const app = () =>
  writeForgeApp(packages, {
    'manifest.yml': manifestOf(`modules:
  jira:issuePanel:
    - key: panel
      title: Panel
      resource: main
      resolver: { function: resolver }
  function:
    - key: resolver
      handler: index.handler
resources:
  - key: main
    path: static
permissions:
  scopes: [storage:app]
`),
    'src/index.js': SOURCE,
    'static/index.html': '<!doctype html>',
  })

const until = async (what: string | (() => string), isSo: () => boolean) => {
  for (let n = 0; n < 600; n += 1) {
    if (isSo()) return
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  assert.fail(typeof what === 'string' ? what : what())
}

/** A free port whose next one is free as well: that is the simulated products'. */
async function freePair(): Promise<number> {
  for (;;) {
    const port = await freePort()
    if (await isFree(port + 1)) return port
  }
}

test(
  'forge dev runs, logs for each tenant, takes changes, and forge invoke calls it; data stays over a restart',
  skip,
  async t => {
    const folder = await app()
    const port = String(await freePair())
    const dev = start(['dev', folder, '--tenants', '2', '--port', port])
    t.after(() => dev.child.kill('SIGKILL'))
    await until(
      () => `it started: ${dev.out()}`,
      () => /watching for changes/.test(dev.out()),
    )
    assert.match(dev.out(), /Test, version 1\.0\.0; each installation in its own jailed process/)
    const one = await run('invoke', folder, 'count', '{"by":2}', '--tenant', 'tenant-1')
    assert.deepEqual([one.code, JSON.parse(one.out)], [0, { count: 2 }])
    const other = await run('invoke', folder, 'count', '{"by":5}', '--tenant', 'tenant-2')
    assert.deepEqual(JSON.parse(other.out), { count: 5 })
    await until(
      'each tenant’s log',
      () =>
        /\[tenant-1\] resolver info: counted to 2/.test(dev.out()) &&
        /\[tenant-2\] resolver info: counted to 5/.test(dev.out()),
    )
    await updateForgeApp(folder, {
      'src/index.js': SOURCE.replace('return { count }', 'return { count, changed: true }'),
    })
    await until('a new version', () => /version 1\.1\.0/.test(dev.out()))
    assert.deepEqual(JSON.parse((await run('invoke', folder, 'count', '{"by":1}')).out), { count: 3, changed: true })
    await updateForgeApp(folder, { 'src/index.js': 'this is no code' })
    await until('an error', () => /ERR_FORGE_BUNDLE/.test(dev.out()))
    assert.deepEqual(JSON.parse((await run('invoke', folder, 'count', '{"by":1}')).out), { count: 4, changed: true })
    const failed = await run('invoke', folder, 'fail')
    assert.equal(failed.code, 1)
    assert.match(failed.error, /ERR_FORGE_FUNCTION: .*on purpose/)
    dev.child.kill('SIGINT')
    assert.equal((await dev.ended).code, 0)
    await updateForgeApp(folder, { 'src/index.js': SOURCE })
    const again = start(['dev', folder, '--tenants', '2', '--port', port])
    t.after(() => again.child.kill('SIGKILL'))
    await until(
      () => `it started again: ${again.out()}`,
      () => /watching for changes/.test(again.out()),
    )
    assert.deepEqual(JSON.parse((await run('invoke', folder, 'count', '{"by":1}')).out), { count: 5 })
    again.child.kill('SIGINT')
    assert.equal((await again.ended).code, 0)
  },
)

test('wrong usage is 2, a refusal is 1 and says its code', skip, async () => {
  const folder = await app()
  assert.equal((await run('dev', folder, '--tenants', 'many')).code, 2)
  assert.equal((await run('invoke', folder, 'count', '{not json')).code, 2)
  assert.equal((await run('invoke', folder)).code, 2)
  const taken = createServer()
  await new Promise<void>(resolve => taken.listen(0, '127.0.0.1', resolve))
  const port = (taken.address() as { port: number }).port
  const inUse = await run('dev', folder, '--port', String(port))
  taken.close()
  assert.equal(inUse.code, 1)
  assert.match(inUse.error, new RegExp(`ERR_CONFIG: port ${port} is in use`))
  const nowhere = await run('dev', '/nowhere')
  assert.equal(nowhere.code, 1)
  assert.match(nowhere.error, /ERR_FORGE_APP_FOLDER/)
})

test('forge report says what is kept, by variable and file, and exits with 1', skip, async () => {
  const folder = await app()
  const clean = await run('report', folder, '--call', 'count {"by":1}')
  assert.deepEqual([clean.code, clean.error], [0, ''])
  assert.match(clean.out, /nothing is kept/)
  await updateForgeApp(folder, {
    'src/index.js': `const seen = []\n${SOURCE.replace('return { count }', 'seen.push(payload.text)\n  return { count }')}`,
  })
  const leaky = await run('report', folder, '--call', 'count {"by":1,"text":"{{tenant}}"}', '--json')
  assert.equal(leaky.code, 1)
  assert.match(leaky.error, /ERR_FORGE_LEAKS/)
  assert.match(leaky.out, /"name": "seen"[\s\S]*"source": "src\/index\.js:1"/)
})
