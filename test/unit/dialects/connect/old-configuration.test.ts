// config.json and AC_* variables of atlassian-connect-express as options of ours.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectConfiguration } from '../../../../src/dialects/connect/legacy/old-configuration.ts'

const config = {
  development: { port: 4000, localBaseUrl: 'http://127.0.0.1:$port/' },
  production: {
    port: '$PORT',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is what the file says
    localBaseUrl: 'https://${NAME}.example.com',
    allowedBaseUrls: ['https://a.example.com/', 'https://b.example.com'],
    whitelist: ['*.atlassian.net', '*.jira.com'],
    product: 'bitbucket',
    maxTokenAge: 1800,
    store: { url: '$STORE' },
  },
}

test('the block of the environment is read, and texts are filled in', () => {
  assert.deepEqual(connectConfiguration(config, {}), {
    app: { baseUrl: 'http://127.0.0.1:4000' },
    addon: {},
    listen: { port: 4000 },
    storeUrl: undefined,
  })
  const environment = { NODE_ENV: 'production', PORT: '8080', NAME: 'flags', STORE: 'postgres://old' }
  assert.deepEqual(connectConfiguration(config, environment), {
    app: { baseUrl: 'https://flags.example.com' },
    addon: {
      family: 'bitbucket',
      hosts: ['*.atlassian.net', '*.jira.com'],
      audiences: ['https://a.example.com', 'https://b.example.com'],
      sessionMinutes: 30,
    },
    listen: { port: 8080 },
    storeUrl: 'postgres://old',
  })
})

test('variables win over the file; AC_OPTS switches nothing off', () => {
  const environment = {
    ...{ PORT: '5000', AC_LOCAL_BASE_URL: 'https://x.example.com', AC_APP_KEY: 'com.example.x', AC_PRODUCT: 'jira' },
    ...{ AC_HOST_WHITELIST: 'a.atlassian.net, b.atlassian.net', AC_ALLOWED_BASE_URLS: 'https://y.example.com/' },
    ...{ AC_HOST_SCRIPT_URL: 'https://s.example.com/all.js', CONNECT_KEYS_CDN_URL: 'https://k.example.com' },
    ...{ DB_URL: 'redis://old', AC_OPTS: 'no-auth' },
  }
  assert.deepEqual(connectConfiguration(config, environment), {
    app: { baseUrl: 'https://x.example.com' },
    addon: {
      key: 'com.example.x',
      family: 'atlassian',
      hosts: ['a.atlassian.net', 'b.atlassian.net'],
      audiences: ['https://y.example.com'],
      hostScriptUrl: 'https://s.example.com/all.js',
      keyServers: ['https://k.example.com'],
    },
    listen: { port: 5000 },
    storeUrl: 'redis://old',
  })
})

test('without a list of hosts production takes the sites of the cloud alone', () => {
  const { addon, app } = connectConfiguration({}, { NODE_ENV: 'production' })
  assert.deepEqual([addon.hosts, app.baseUrl], [['*.atlassian.net'], 'http://localhost:3000'])
})

test('what is wrong is named', () => {
  const refused = (block: object, name: string) =>
    assert.throws(() => connectConfiguration({ development: block }, {}), { code: 'ERR_CONFIG', details: { name } })
  refused({ port: 'many' }, 'port')
  refused({ localBaseUrl: 'https://$NOWHERE' }, '$NOWHERE')
  refused({ localBaseUrl: {} }, 'localBaseUrl')
  refused({ whitelist: [1] }, 'whitelist')
  refused({ maxTokenAge: 'long' }, 'maxTokenAge')
  assert.throws(() => connectConfiguration({ development: [] }, {}), { code: 'ERR_CONFIG' })
})
