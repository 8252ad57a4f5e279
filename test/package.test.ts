// The package as users get it: packed, unpacked, imported by plain node and typed by plain tsc. Nothing is fetched: its
// dependencies are those of this repository.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { GUIDES, guideFiles, read, root } from './support/documents.ts'

const run = promisify(execFile)
const manifest = JSON.parse(read('package.json'))

/** What every app needs, and what that needs; nothing of koa, kysely or the command line. */
const LOADED_BY_A_BARE_IMPORT = [
  ...['croner', 'ipaddr.js', 'lru-cache', 'pg', 'pino', 're2js', 'undici', 'uuid', 'zod'],
  // Of pg:
  ...['pg-connection-string', 'pg-int8', 'pg-pool', 'pg-protocol', 'pg-types'],
  ...['postgres-array', 'postgres-bytea', 'postgres-date', 'postgres-interval', 'xtend'],
  // Of pino:
  ...['@pinojs/redact', 'atomic-sleep', 'on-exit-leak-free', 'pino-std-serializers', 'quick-format-unescaped'],
  ...['safe-stable-stringify', 'sonic-boom', 'thread-stream'],
]

let folder: string
let unpacked: string
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'pw-package-'))
  const checkout = path.join(folder, 'checkout')
  await mkdir(checkout)
  for (const name of [
    'src',
    'scripts',
    'package.json',
    'tsconfig.json',
    'tsconfig.build.json',
    ...(await documents()),
  ]) {
    await cp(path.join(root, name), path.join(checkout, name), { recursive: true })
  }
  await symlink(path.join(root, 'node_modules'), path.join(checkout, 'node_modules'))
  await run('npm', ['pack', '--offline', '--pack-destination', folder], { cwd: checkout })
  await run('tar', ['xzf', `partywall-${manifest.version}.tgz`], { cwd: folder })
  unpacked = path.join(folder, 'package')
  await symlink(path.join(root, 'node_modules'), path.join(unpacked, 'node_modules'))
  await mkdir(path.join(folder, 'app/node_modules'), { recursive: true })
  await writeFile(path.join(folder, 'app/package.json'), '{"type": "module"}')
  await symlink(unpacked, path.join(folder, 'app/node_modules/partywall'))
  for (const name of ['koa', 'express', 'fastify', 'hono', '@hono', 'kysely', '@types', 'undici-types']) {
    await symlink(path.join(root, 'node_modules', name), path.join(folder, 'app/node_modules', name))
  }
})
after(() => rm(folder, { recursive: true, force: true }))

test('the package holds what is needed to run, and the licence, and no sources or tests', async () => {
  const names = (await readdir(unpacked)).filter(name => name !== 'node_modules').sort()
  assert.deepEqual(names, ['CHANGELOG.md', 'LICENSE', 'NOTICE', 'README.md', 'dist', 'package.json'])
  for (const folder of ['postgres/sql', 'host/page']) {
    assert.deepEqual(await readdir(path.join(unpacked, 'dist', folder)), await readdir(path.join(root, 'src', folder)))
  }
})

test('plain node imports every entry of the package', async () => {
  const entries = Object.keys(manifest.exports).map(subpath => `partywall${subpath.slice(1)}`)
  const code = `for (const name of ${JSON.stringify(entries)}) console.log(name, Object.keys(await import(name)).length)`
  const { stdout } = await inApp('--input-type=module', '--eval', code)
  const counts = stdout.trim().split('\n')
  assert.deepEqual(
    counts.map(line => line.split(' ')[0]),
    entries,
  )
  assert.ok(counts.every(line => Number(line.split(' ')[1]) > 0))
})

test('a bare import loads a fixed list of packages', async () => {
  const hook = `export async function load(url, context, next) {
    if (url.startsWith('file:')) (await import('node:fs')).appendFileSync(process.env.LOADED, url + '\\n')
    return next(url, context)
  }`
  const code = `
    import { createRequire, register } from 'node:module'
    register('data:text/javascript,' + encodeURIComponent(${JSON.stringify(hook)}))
    await import('partywall')
    console.log(Object.keys(createRequire(import.meta.url).cache).join('\\n'))`
  const list = path.join(folder, 'loaded')
  const { stdout } = await inApp('--input-type=module', '--eval', code, { LOADED: list })
  const files = `${await readFile(list, 'utf8')}${stdout}`.split('\n')
  const packages = new Set(files.map(packageOf).filter(name => name !== undefined))
  assert.deepEqual([...packages].sort(), LOADED_BY_A_BARE_IMPORT.sort())
  const own = files.filter(file => file.includes('/package/dist/')).map(file => file.split('/package/dist/')[1] ?? '')
  assert.ok(own.includes('index.js'))
  assert.deepEqual(
    own.filter(file => /^(?:cli|host|testing)\/|embedded|kysely/.test(file)),
    [],
  )
})

test('the command line of the package runs', async () => {
  const main = path.join(unpacked, manifest.bin.partywall)
  const guides = read('docs/guide/your-own-postgresql.md') + read('docs/guide/operating.md')
  for (const command of ['db prepare', 'keys rotate']) {
    const { stdout } = await run(process.execPath, [main, ...command.split(' '), '--help'])
    assert.ok(guides.includes(`npx partywall ${command}`), command)
    const options = [...stdout.matchAll(/^ {2}(--[a-z-]+)/gm)].map(match => match[1] ?? '')
    assert.ok(options.length > 1)
    for (const option of options) assert.ok(guides.includes(`\`${option}`), `the guides lack ${option}`)
  }
})

test('the types resolve for a program of plain tsc, and keep their promises; so does the code of the guides', async () => {
  await cp(path.join(root, 'test/types'), path.join(folder, 'app/types'), { recursive: true })
  for (const guide of GUIDES) {
    await mkdir(path.join(folder, 'app', guide))
    for (const [name, code] of guideFiles(guide)) {
      if (name.endsWith('.ts')) await writeFile(path.join(folder, 'app', guide, name), code)
    }
  }
  const options = {
    target: 'es2023',
    module: 'nodenext',
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: ['node'],
  }
  await writeFile(path.join(folder, 'app/tsconfig.json'), JSON.stringify({ compilerOptions: options }))
  const tsc = path.join(root, 'node_modules/typescript/bin/tsc')
  const { stdout } = await run(process.execPath, [tsc, '-p', path.join(folder, 'app')]).catch(error => error)
  assert.equal(stdout, '')
})

test('a Forge app is bundled, jailed where there is bubblewrap, and called from the package as it is', async () => {
  const app = path.join(folder, 'forge-app')
  await mkdir(path.join(app, 'src'), { recursive: true })
  await writeFile(
    path.join(app, 'manifest.yml'),
    'app: { id: "ari:cloud:ecosystem::app/5f0c7a1e-6a3c-4d0e-9b1f-2f4f2c8f1d99", runtime: { name: nodejs20.x } }\nmodules: { function: [{ key: add, handler: index.add }] }\n',
  )
  await writeFile(
    path.join(app, 'src/index.js'),
    'export const add = ({ a, b }) => ({ sum: a + b, uid: process.getuid() })',
  )
  await writeFile(
    path.join(folder, 'app/forge.mjs'),
    `import { createApp } from 'partywall'
     const app = await createApp({ key: 'com.example.forge', baseUrl: 'http://127.0.0.1:1', database: { folder: ${JSON.stringify(path.join(folder, 'forge-data'))}, environment: {} }, keys: { current: { id: 'k', key: Buffer.alloc(32, 1) }, find: () => Buffer.alloc(32, 1) }, logLevel: 'error' })
     const forge = await app.forge({ folder: ${JSON.stringify(app)} })
     const installation = await forge.install({ url: 'https://one.example.com' })
     console.log(JSON.stringify([forge.boundary, await installation.call('add', { a: 1, b: 2 })]))
     await app.close()`,
  )
  const { stdout } = await run(process.execPath, ['forge.mjs'], { cwd: path.join(folder, 'app') })
  const [boundary, answer] = JSON.parse(stdout)
  assert.equal(answer.sum, 3)
  if (boundary === 'bubblewrap') assert.equal(answer.uid, 65_534)
})

test('H 91: dependencies are pinned exactly, few, and nothing of ours runs at install', () => {
  const { dependencies, optionalDependencies, devDependencies, scripts } = manifest
  for (const [name, version] of Object.entries({ ...dependencies, ...optionalDependencies, ...devDependencies })) {
    assert.match(String(version), /^\d+\.\d+\.\d+(?:-[\w.]+)?$/, name)
  }
  assert.ok(Object.keys(dependencies).length <= 13)
  const deprecated = [
    'request',
    'request-promise',
    'jsonwebtoken',
    'jwt-simple',
    'atlassian-jwt',
    'node-fetch',
    'axios',
  ]
  const lock = JSON.parse(read('package-lock.json'))
  // What users get. A deprecated package may well be a second opinion in our own tests.
  const installed = Object.entries<{ readonly dev?: boolean }>(lock.packages)
    .filter(([, { dev = false }]) => !dev)
    .map(([name]) => name.split('node_modules/').at(-1) ?? '')
  assert.deepEqual(
    installed.filter(name => deprecated.includes(name)),
    [],
  )
  assert.deepEqual(
    Object.keys(scripts).filter(name => /^(?:pre|post)?(?:install|prepare)$/.test(name)),
    [],
  )
})

const documents = async () => (await readdir(root)).filter(name => /^(?:README|CHANGELOG|LICENSE|NOTICE)/.test(name))

function inApp(...given: (string | Readonly<Record<string, string>>)[]) {
  const options = given.filter(one => typeof one === 'string')
  const environment = given.find(one => typeof one === 'object') ?? {}
  // Without the condition and loader that the tests themselves run with.
  const env = { PATH: process.env.PATH, ...environment }
  return run(process.execPath, options, { cwd: path.join(folder, 'app'), env, timeout: 60_000 })
}

/** Name of the package that a file of node_modules belongs to. */
function packageOf(file: string): string | undefined {
  const rest = file.split('/node_modules/').at(-1)
  return rest === undefined || rest === file ? undefined : /^(?:@[^/]+\/)?[^/]+/.exec(rest)?.[0]
}
