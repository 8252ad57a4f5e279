// What there is inside of the jail, and what cannot be reached from it. Each attempt is made from inside, by code that nobody restrains.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer as createHttp } from 'node:http'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import type { JsonValue } from '../../../src/core/tenant.ts'
import type { Program } from '../../../src/sandbox/types.ts'
import { createTestSandbox, RUNNER, type TestSandbox } from '../../support/sandbox.ts'

const closers: (() => void | Promise<void>)[] = []
let box: TestSandbox
let runner: Program
let port: number
let connections = 0
const folder = mkdtempSync(path.join(tmpdir(), 'pw-box-'))
const servers: Server[] = []
before(async () => {
  process.env.PW_TEST_SECRET = 'of the host'
  box = await createTestSandbox({ after: work => void closers.push(work) })
  runner = await box.program(RUNNER)
  const listen = async (server: Server, where: number | string) => {
    servers.push(server)
    server.on('connection', socket => {
      connections += 1
      socket.on('error', () => undefined)
      socket.end()
    })
    await new Promise<void>(resolve => server.listen(where, resolve))
    return server
  }
  port = (
    (
      await listen(
        createHttp((_, response) => response.end('reached')),
        0,
      )
    ).address() as AddressInfo
  ).port
  await listen(createServer(), path.join(folder, 'host.sock'))
  await listen(createServer(), '\0pw-box-abstract')
})
after(async () => {
  for (const work of closers) await work()
  for (const server of servers) server.close()
  rmSync(folder, { recursive: true, force: true })
  delete process.env.PW_TEST_SECRET
})

const run = <T = JsonValue>(code: string, value: JsonValue = null) =>
  box.call(runner, 'box', { code, value }) as Promise<T>
/** The error's code, or what came. */
const attempt = (code: string, value: JsonValue = null) =>
  run<string>(
    `try { return 'got ' + JSON.stringify(await (async () => { ${code} })()) } catch (error) { return String(error.code ?? error.name) }`,
    value,
  )

test('G 69: the environment is empty, of the process and of the jail’s first one', async () => {
  assert.deepEqual(Object.keys(await run<Record<string, string>>('return process.env')).sort(), ['PWD', 'TZ'])
  const first = await attempt(`return require('node:fs').readFileSync('/proc/1/environ', 'latin1')`)
  assert.doesNotMatch(first, /PW_TEST_SECRET|of the host|PATH|HOME/)
  assert.doesNotMatch(
    await attempt(`return require('node:fs').readFileSync('/proc/self/environ', 'latin1')`),
    /PW_TEST_SECRET|HOME/,
  )
  assert.doesNotMatch(
    JSON.stringify(
      await run(
        'return [process.argv, process.execArgv, process.title, process.report?.getReport?.().header?.commandLine]',
      ),
    ),
    new RegExp(folder),
  )
})

test('G 69: no descriptor of the host is inherited but the channel and its own output', async () => {
  const open = await run<string[]>(`
    const fs = require('node:fs')
    return fs.readdirSync('/proc/self/fd').flatMap(fd => { try { return [fd + ' ' + fs.readlinkSync('/proc/self/fd/' + fd)] } catch { return [] } })`)
  for (const line of open) assert.match(line, /^\d+ (?:\/dev\/null|pipe:|socket:|anon_inode:|\/proc\/)/, line)
  const files = open.filter(line => /\/dev\/null|socket:/.test(line))
  // The channel, standard output and standard error: socket pairs of the supervisor's own.
  assert.equal(files.filter(line => line.includes('socket:')).length, 3, open.join('\n'))
  assert.deepEqual(
    open.filter(line => Number(line.split(' ')[0]) > 100),
    [],
  )
})

test('G 69: no file system but the app, read-only, and a small private /tmp', async () => {
  for (const file of [
    '/etc/passwd',
    '/root',
    '/home',
    '/usr/bin',
    '/var',
    '/sys',
    '/boot',
    folder,
    process.cwd(),
    '/run',
  ]) {
    assert.match(await attempt(`return require('node:fs').statSync(payload).size`, file), /ENOENT|EACCES/, file)
  }
  const top = await run<string[]>(`return require('node:fs').readdirSync('/').sort()`)
  assert.deepEqual(
    top.filter(name => !/^(?:app|dev|launcher\.cjs|lib|lib64|node|proc|tmp|usr|bin)$/.test(name)),
    [],
  )
  for (const target of ['/app/main.cjs', '/app/new', '/launcher.cjs', '/node', '/new', '/lib/new', '/dev/new']) {
    assert.match(await attempt(`require('node:fs').writeFileSync(payload, 'x')`, target), /EROFS|EACCES|EPERM/, target)
  }
  assert.equal(
    await attempt(
      `const fs = require('node:fs'); fs.writeFileSync('/tmp/x', 'mine'); return fs.readFileSync('/tmp/x', 'utf8')`,
    ),
    'got "mine"',
  )
  // A link leads nowhere outside.
  assert.match(
    await attempt(
      `const fs = require('node:fs'); fs.symlinkSync('/etc/passwd', '/tmp/link'); return fs.readFileSync('/tmp/link', 'utf8')`,
    ),
    /ENOENT/,
  )
  assert.match(
    await attempt(`return require('node:fs').readFileSync('/proc/1/root/etc/passwd', 'utf8')`),
    /ENOENT|EACCES/,
  )
  assert.match(
    await attempt(
      `const fs = require('node:fs'); const fd = fs.openSync('/tmp/big', 'w'); const chunk = Buffer.alloc(32 << 20); try { for (let n = 0; n < 40; n++) fs.writeSync(fd, chunk) } finally { fs.closeSync(fd); fs.rmSync('/tmp/big') }`,
    ),
    /ENOSPC|EFBIG/,
  )
})

test('G 69: no child process, no native add-on, no inspector that anybody could reach, no right to more', async () => {
  assert.match(
    await attempt(`require('node:child_process').execFileSync('/node', ['-e', '1'])`),
    /EPERM|EACCES|ENOENT|EAGAIN/,
  )
  assert.match(
    await attempt(
      `return new Promise((_, reject) => require('node:child_process').spawn('/node').on('error', reject))`,
    ),
    /EPERM|EACCES|EAGAIN/,
  )
  assert.match(
    await attempt(
      `require('node:fs').writeFileSync('/tmp/a.node', 'x'); process.dlopen({ exports: {} }, '/tmp/a.node')`,
    ),
    /ERR_DLOPEN/,
  )
  await attempt(`require('node:inspector').open(9229, '0.0.0.0')`)
  assert.match(
    await fetch('http://127.0.0.1:9229/json').then(
      () => 'reached',
      (error: { cause?: { code?: string } }) => error.cause?.code ?? 'refused',
    ),
    /ECONNREFUSED/,
  )
  assert.deepEqual(
    await run('return [process.getuid(), process.geteuid(), process.getgid()]'),
    [65_534, 65_534, 65_534],
  )
  assert.match(await attempt('process.setuid(0)'), /EPERM|EINVAL/)
  const status = await run<string>(`return require('node:fs').readFileSync('/proc/self/status', 'utf8')`)
  assert.match(status, /CapEff:\s+0{16}/)
  assert.match(status, /NoNewPrivs:\s+1/)
  assert.match(status, /Seccomp:\s+2/)
  assert.match(await attempt('process.kill(-1, 9)'), /ESRCH|EPERM|got/)
  assert.equal(await run('return 1 + 1'), 2)
})

test('a guest reaches no network by any module, not the host’s loopback, not a socket, not by name', async () => {
  const attempts = {
    fetch: `return (await fetch('http://127.0.0.1:' + payload)).status`,
    http: `return new Promise((yes, no) => require('node:http').get('http://127.0.0.1:' + payload, answer => yes(answer.statusCode)).on('error', no))`,
    https: `return new Promise((yes, no) => require('node:https').get('https://127.0.0.1:' + payload, answer => yes(answer.statusCode)).on('error', no))`,
    http2: `return new Promise((yes, no) => require('node:http2').connect('http://127.0.0.1:' + payload).on('connect', () => yes('connected')).on('error', no))`,
    net: `return new Promise((yes, no) => require('node:net').connect(payload, '127.0.0.1').on('connect', () => yes('connected')).on('error', no))`,
    net6: `return new Promise((yes, no) => require('node:net').connect(payload, '::1').on('connect', () => yes('connected')).on('error', no))`,
    world: `return new Promise((yes, no) => require('node:net').connect(53, '1.1.1.1').on('connect', () => yes('connected')).on('error', no))`,
    tls: `return new Promise((yes, no) => require('node:tls').connect(payload, '127.0.0.1').on('secureConnect', () => yes('connected')).on('error', no))`,
    metadata: `return new Promise((yes, no) => require('node:net').connect(80, '169.254.169.254').on('connect', () => yes('connected')).on('error', no))`,
    unix: `return new Promise((yes, no) => require('node:net').connect(${JSON.stringify(path.join(folder, 'host.sock'))}).on('connect', () => yes('connected')).on('error', no))`,
    abstract: `return new Promise((yes, no) => require('node:net').connect('\\0pw-box-abstract').on('connect', () => yes('connected')).on('error', no))`,
    dns: `return require('node:dns').promises.resolve4('example.com')`,
    lookup: `return require('node:dns').promises.lookup('example.com')`,
    dgram: `return new Promise((yes, no) => { const socket = require('node:dgram').createSocket('udp4'); socket.on('error', no); socket.send('x', payload, '127.0.0.1', error => error ? no(error) : no(Object.assign(new Error('sent'), { code: 'SENT' }))) })`,
    worker: `return new Promise((yes, no) => { const { Worker } = require('node:worker_threads'); const worker = new Worker("require('node:net').connect(" + payload + ", '127.0.0.1').on('connect', () => require('node:worker_threads').parentPort.postMessage('connected')).on('error', error => require('node:worker_threads').parentPort.postMessage(error.code))", { eval: true }); worker.on('message', text => text === 'connected' ? yes(text) : no(Object.assign(new Error(text), { code: text }))); worker.on('error', no) })`,
  }
  const refused =
    /^(?:ENETUNREACH|ECONNREFUSED|ENOENT|EACCES|EPERM|EADDRNOTAVAIL|ENETDOWN|EAI_AGAIN|ENOTFOUND|ESERVFAIL|ETIMEOUT|ECONNRESET|TypeError|SENT|EAFNOSUPPORT|ERR_HTTP2_ERROR)$/
  const heard = connections
  for (const [name, code] of Object.entries(attempts)) assert.match(await attempt(code, port), refused, name)
  assert.equal(typeof (await run('return typeof WebSocket')), 'string')
  // The loopback in there is the jail's own, with nobody on it.
  assert.equal(connections, heard)
  const interfaces = await run<Record<string, unknown>>(`return require('node:os').networkInterfaces()`)
  assert.deepEqual(
    Object.keys(interfaces).filter(name => name !== 'lo'),
    [],
  )
})

test('another instance cannot be found: no process, no file, no socket of it', async () => {
  await box.call(runner, 'neighbour', {
    code: `require('node:fs').writeFileSync('/tmp/of-neighbour', 'secret-of-neighbour'); require('node:net').createServer().listen('/tmp/neighbour.sock'); require('node:net').createServer().listen('\\0pw-neighbour').on('error', () => undefined)`,
    value: null,
  })
  const seen = await run<{ processes: string[]; temporary: string[]; unix: string }>(`
    const fs = require('node:fs')
    return { processes: fs.readdirSync('/proc').filter(name => /^\\d+$/.test(name)), temporary: fs.readdirSync('/tmp'), unix: fs.readFileSync('/proc/net/unix', 'utf8') }`)
  assert.ok(seen.processes.length <= 3, seen.processes.join())
  assert.ok(!seen.temporary.includes('of-neighbour'))
  assert.doesNotMatch(seen.unix, /neighbour/)
  assert.match(
    await attempt(
      `return new Promise((yes, no) => require('node:net').connect('\\0pw-neighbour').on('connect', () => yes('connected')).on('error', no))`,
    ),
    /ECONNREFUSED/,
  )
})

test('32 of 32: what applications use of Node works in the jail, with processes where they are allowed', async t => {
  const { program, call } = await createTestSandbox(t, { processes: true })
  const probes = {
    'crypto.sha256': `return require('crypto').createHash('sha256').update('a').digest('hex').slice(0, 8)`,
    'crypto.hmac': `return require('crypto').createHmac('sha256', 'k').update('a').digest('hex').length`,
    'crypto.randomUUID': `return require('crypto').randomUUID().length`,
    'crypto.aes-gcm': `const c = require('crypto').createCipheriv('aes-256-gcm', Buffer.alloc(32), Buffer.alloc(12)); return c.update('x', 'utf8', 'hex') + c.final('hex')`,
    'crypto.scrypt': `return require('crypto').scryptSync('p', 's', 16).length`,
    'crypto.rsa': `return require('crypto').generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.type`,
    'crypto.ecdh': `return require('crypto').createECDH('prime256v1').generateKeys('hex').length`,
    'crypto.sign': `const { privateKey, publicKey } = require('crypto').generateKeyPairSync('ed25519'); return require('crypto').verify(null, Buffer.from('x'), publicKey, require('crypto').sign(null, Buffer.from('x'), privateKey))`,
    webcrypto: `return (await crypto.subtle.digest('SHA-256', Buffer.from('a'))).byteLength`,
    AsyncLocalStorage: `const { AsyncLocalStorage } = require('async_hooks'); const als = new AsyncLocalStorage(); return als.run(7, async () => { await new Promise(r => setTimeout(r, 1)); return als.getStore() })`,
    EventEmitter: `const e = new (require('events').EventEmitter)(); const p = new Promise(r => e.once('x', r)); e.emit('x', 5); return p`,
    stream: `let s = ''; for await (const part of require('stream').Readable.from(['a', 'b'])) s += part; return s`,
    Buffer: `return Buffer.from('hi').toString('base64')`,
    util: `return require('util').inspect({ a: 1 })`,
    url: `return new URL('http://a/b').host`,
    zlib: `return require('zlib').gunzipSync(require('zlib').gzipSync('aaa')).toString()`,
    path: `return require('path').join('a', '..', 'b')`,
    querystring: `return require('querystring').stringify({ a: 1 })`,
    string_decoder: `return new (require('string_decoder').StringDecoder)('utf8').write(Buffer.from('x'))`,
    perf_hooks: `return typeof require('perf_hooks').performance.now()`,
    'http.request': `return typeof require('http').request`,
    'https.Agent': `return typeof new (require('https').Agent)({ keepAlive: true })`,
    dns: `return typeof require('dns').lookup`,
    tls: `return typeof require('tls').connect`,
    fs: `const fs = require('fs'); fs.writeFileSync('/tmp/p', 'q'); return fs.readFileSync('/tmp/p', 'utf8')`,
    os: `return require('os').tmpdir()`,
    vm: `return require('vm').runInNewContext('1+1')`,
    worker_threads: `const { Worker } = require('worker_threads'); return new Promise((r, no) => { const w = new Worker('require("worker_threads").parentPort.postMessage(3)', { eval: true }); w.on('message', r); w.on('error', no) })`,
    child_process: `return require('child_process').execSync('echo hi').toString()`,
    'timers/promises': `return require('timers/promises').setTimeout(1, 9)`,
    'process.nextTick': `return new Promise(r => process.nextTick(r, 1))`,
    eval: `return new Function('return 3')()`,
  }
  assert.equal(Object.keys(probes).length, 32)
  const forking = await program(RUNNER)
  const failures: string[] = []
  for (const [name, code] of Object.entries(probes)) {
    await call(forking, 'probes', { code }).catch((error: Error) => failures.push(`${name}: ${error.message}`))
  }
  assert.deepEqual(failures, [])
  // What is started in there is in there: it sees as little, and ends with the jail.
  const inside = await call(forking, 'probes', {
    code: `return require('child_process').execSync('echo /proc/[0-9]*; id -u 2>/dev/null; cat /etc/passwd 2>/dev/null; true').toString()`,
  })
  assert.doesNotMatch(String(inside), /root:/)
})
