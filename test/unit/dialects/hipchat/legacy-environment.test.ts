// What the old libraries read from package.json and the environment, as options of ours.
import assert from 'node:assert/strict'
import { hostname } from 'node:os'
import { test } from 'node:test'
import { hipchatEnvironment, hipchatPackage } from 'partywall/hipchat'
import { isPartywallError } from '../../../../src/core/errors.ts'
import type { JsonObject } from '../../../../src/core/tenant.ts'
import { createWorld } from './world.ts'

const block = (development: object, environment: Record<string, string> = {}) =>
  hipchatEnvironment({ name: 'x', development }, environment)

/** The longer form; written out it looks like a forgotten template. */
const braced = (name: string): string => `$\{${name}}`

function refuses(work: () => unknown, name: string): void {
  assert.throws(
    work,
    error => isPartywallError(error, 'ERR_CONFIG') && error.message.includes(name) && error.details?.name === name,
    name,
  )
}

test('B7 Config: without a block everything has the old default', () => {
  const { app, addon, listen, stores, config } = hipchatEnvironment({}, {})
  const host = hostname().toLowerCase()
  assert.deepEqual(app, { baseUrl: `http://${host}:3000` })
  assert.deepEqual(addon, { sessionMinutes: 15, sessionMaxMinutes: 480 })
  assert.deepEqual(listen, { port: 3000 })
  assert.deepEqual(stores, { redis: 'redis://localhost:6379', mongo: 'mongodb://127.0.0.1:27017/ac' })
  assert.deepEqual(Object.keys(config), ['HOSTNAME', 'PORT', 'LOCAL_BASE_URL', 'AUTH_TOKEN_TTL'])
})

test('B1 config: the block named after NODE_ENV counts, its names in UPPER_SNAKE', () => {
  const manifest = {
    development: { port: 4000 },
    production: {
      localBaseUrl: 'https://greeter.example.com/',
      hosts: ['api.hipchat.com', '*.hipchat.com'],
      'auth-token-ttl': 600,
      redisEnv: 'REDIS_URL',
      apiKEYName: 'x',
    },
  }
  const environment = { NODE_ENV: 'production', REDIS_URL: 'redis://:pass@store.example:6380' }
  const { app, addon, listen, stores, config } = hipchatEnvironment(manifest, environment)
  assert.deepEqual(app, { baseUrl: 'https://greeter.example.com' })
  assert.deepEqual(addon, { hosts: ['api.hipchat.com', '*.hipchat.com'], sessionMinutes: 600, sessionMaxMinutes: 600 })
  assert.deepEqual(listen, { port: 3000 })
  assert.equal(stores.redis, 'redis://:pass@store.example:6380')
  assert.equal(config.API_KEY_NAME, 'x')
  assert.equal(hipchatEnvironment(manifest, {}).listen.port, 4000)
  assert.equal(hipchatEnvironment(manifest, { NODE_ENV: '' }).listen.port, 4000)
  assert.equal(hipchatEnvironment(manifest, { NODE_ENV: 'constructor' }).listen.port, 3000)
})

test('a variable of the environment overrides a name that is there, and adds none', () => {
  const environment = { PORT: '4001', HOSTS: 'evil.example', COLOUR: 'red', SHAPE: '', NESTED: 'no' }
  const { listen, addon, config } = block({ colour: 'blue', shape: 'round', nested: { a: 1 } }, environment)
  assert.equal(listen.port, 4001)
  assert.equal(addon.hosts, undefined)
  assert.deepEqual([config.COLOUR, config.SHAPE, config.NESTED], ['red', 'round', { a: 1 }])
  assert.ok(!('HOSTS' in config))
  const hosts = block({ hosts: ['api.hipchat.com'] }, { HOSTS: 'one.example, *.two.example:8443' }).addon.hosts
  assert.deepEqual(hosts, ['one.example', '*.two.example:8443'])
})

test('names in texts are replaced by other names of the configuration, at any depth', () => {
  const { app, config } = block({
    hostname: 'greeter.example',
    port: 8080,
    scheme: 'https',
    localBaseUrl: `${braced('SCHEME')}://$HOSTNAME:$PORT/app`,
    welcome: ['$LOCAL_BASE_URL/hello', 5],
    price: '5 $ a cup',
  })
  assert.equal(app.baseUrl, 'https://greeter.example:8080/app')
  assert.deepEqual(config.WELCOME, ['https://greeter.example:8080/app/hello', 5])
  assert.equal(config.PRICE, '5 $ a cup')
})

test('a name that is missing, leads back to itself or grows without end is refused, quickly', () => {
  refuses(() => block({ a: '$PATH' }, { PATH: '/bin' }), 'A')
  refuses(() => block({ a: 'x$A' }), 'A')
  refuses(() => block({ a: '$B', b: '$C', c: '$A' }), 'C')
  const doubling = (leaf: string) =>
    Object.fromEntries(
      Array.from({ length: 60 }, (_, index) => [`k${index}`, index === 59 ? leaf : `$K${index + 1}$K${index + 1}`]),
    )
  const started = performance.now()
  assert.throws(
    () => block(doubling('x')),
    error => isPartywallError(error, 'ERR_CONFIG'),
  )
  assert.equal(block(doubling('')).config.K0, '')
  assert.ok(performance.now() - started < 2_000)
})

test('a value that cannot be used is refused by its name, and never quoted', () => {
  const wrong: [object, string][] = [
    [{ port: 'http' }, 'PORT'],
    [{ port: 70_000 }, 'PORT'],
    [{ port: 1.5 }, 'PORT'],
    [{ authTokenTtl: 0 }, 'AUTH_TOKEN_TTL'],
    [{ authTokenTtl: 'soon' }, 'AUTH_TOKEN_TTL'],
    [{ authTokenTtl: 2_000 }, 'AUTH_TOKEN_TTL'],
    [{ localBaseUrl: 'greeter.example' }, 'LOCAL_BASE_URL'],
    [{ localBaseUrl: 'https://user:pass@greeter.example' }, 'LOCAL_BASE_URL'],
    [{ localBaseUrl: 'https://greeter.example/?a=b' }, 'LOCAL_BASE_URL'],
    [{ hosts: [] }, 'HOSTS'],
    [{ hosts: ['*'] }, 'HOSTS'],
    [{ hosts: ['api-*.hipchat.com'] }, 'HOSTS'],
    [{ hosts: ['a.*.hipchat.com'] }, 'HOSTS'],
    [{ hosts: ['{a,b}.hipchat.com'] }, 'HOSTS'],
    [{ hosts: { a: 1 } }, 'HOSTS'],
    [{ redisEnv: 'redis://:hunter2@store' }, 'REDIS_ENV'],
    [{ mongoEnv: 5 }, 'MONGO_ENV'],
  ]
  for (const [configuration, name] of wrong) refuses(() => block(configuration), name)
  assert.throws(
    () => block({ redisEnv: 'redis://:hunter2@store' }),
    error => !String(error).includes('hunter2'),
  )
  refuses(() => hipchatEnvironment({ test: 'text' }, { NODE_ENV: 'test' }), 'test')
  refuses(() => hipchatEnvironment({ test: [] }, { NODE_ENV: 'test' }), 'test')
})

test('a store whose variable is not set is nowhere, rather than on this machine', () => {
  assert.equal(block({ redisEnv: 'REDIS_URL' }).stores.redis, undefined)
})

test('B1 pkg: package.json fills the descriptor', () => {
  const manifest = {
    name: 'com.example.greeter',
    displayName: 'Greeter',
    description: 'Says hello',
    version: '1.2.3',
    author: 'Ada Lovelace <ada@example.com> (https://ada.example.com)',
    command: { name: '/hello', description: 'says hello', aliases: ['/hi'] },
    dependencies: {},
  }
  assert.deepEqual(hipchatPackage(manifest), {
    key: 'com.example.greeter',
    name: 'Greeter',
    description: 'Says hello',
    version: '1.2.3',
    vendor: { name: 'Ada Lovelace', url: 'https://ada.example.com' },
    descriptor: { capabilities: { command: [{ name: '/hello', description: 'says hello', aliases: ['/hi'] }] } },
  })
  assert.deepEqual(hipchatPackage({ name: 'greeter' }), { key: 'greeter', name: 'greeter' })
  assert.deepEqual(hipchatPackage({ name: 'a', author: { name: 'Grace' } }).vendor, { name: 'Grace' })
  assert.deepEqual(hipchatPackage({ name: 'a', author: { name: 'Grace', url: 'https://g.example' } }).vendor, {
    name: 'Grace',
    url: 'https://g.example',
  })
  assert.deepEqual(hipchatPackage({ name: 'a', author: 'Edsger <e@example.com>' }).vendor, { name: 'Edsger' })
  assert.equal(hipchatPackage({ name: 'a', author: '<e@example.com>' }).vendor, undefined)
  const both = [manifest.command, { name: '/bye', description: 'says bye' }]
  assert.equal(hipchatPackage({ name: 'a', command: both }).descriptor?.capabilities.command.length, 2)
  const { descriptor } = createWorld({ ...hipchatPackage(manifest), scopes: ['send_notification'] }).addon
  assert.deepEqual([descriptor.name, descriptor.vendor], ['Greeter', hipchatPackage(manifest).vendor])
  assert.deepEqual((descriptor.capabilities as JsonObject).command, [manifest.command])
})

test('a package.json that npm would not take is refused by the field', () => {
  refuses(() => hipchatPackage({}), 'name')
  refuses(() => hipchatPackage(undefined), 'package.json')
  refuses(() => hipchatPackage({ name: 'a', version: 5 }), 'version')
  refuses(() => hipchatPackage({ name: 'a', command: { name: 'hello', description: 'x' } }), 'command')
})
