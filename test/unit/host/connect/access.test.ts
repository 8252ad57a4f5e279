// What the simulated products let an app do: tokens, hashes, scopes.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type ConnectHost, type ConnectInstallation, type Site, startConnectHost } from '../../../../src/host/index.ts'
import { APP_KEY, appToken, callProduct, type FakeApp, type Json, startFakeApp } from './fake-app.ts'

let host: ConnectHost
let app: FakeApp
let site: Site
let jira: ConnectInstallation
before(async () => {
  host = await startConnectHost()
  app = await startFakeApp()
  site = host.createSite({ name: 'acme' })
  site.createProject({ key: 'TIGER' })
  jira = await host.install(app.descriptorUrl, site.jira)
})
after(async () => {
  await app.close()
  await host.close()
})

test('a signed app makes, reads and changes an issue', async () => {
  const fields = { project: { key: 'TIGER' }, summary: 'Stripes' }
  const made = await callProduct(jira, 'POST', '/rest/api/3/issue', { fields })
  const { key } = (await made.json()) as Json
  assert.deepEqual([made.status, key], [201, 'TIGER-1'])
  assert.equal(
    (await callProduct(jira, 'PUT', `/rest/api/3/issue/${key}`, { fields: { priority: 'high' } })).status,
    204,
  )
  const read = (await (await callProduct(jira, 'GET', `/rest/api/3/issue/${key}?expand=a&expand=b`)).json()) as Json
  assert.deepEqual([(read.fields as Json).summary, (read.fields as Json).priority], ['Stripes', 'high'])
})

test('a call outside the scopes of the descriptor is 403', async () => {
  assert.equal((await callProduct(jira, 'DELETE', '/rest/api/3/issue/TIGER-1')).status, 403)
})

const PATH = `/rest/atlassian-connect/1/addons/${APP_KEY}`
const refused: Readonly<Record<string, (one: ConnectInstallation) => string>> = {
  'no token': () => '',
  'a hash of another path': one => `JWT ${appToken(one, 'GET', '/rest/api/3/issue/1')}`,
  'a hash of another method': one => `JWT ${appToken(one, 'POST', PATH)}`,
  'the hash of a context': one => `JWT ${appToken(one, 'GET', PATH, { qsh: 'context-qsh' })}`,
  'an expired token': one => `JWT ${appToken(one, 'GET', PATH, { iat: 1, exp: 2 })}`,
  'a token without iat': one => `JWT ${appToken(one, 'GET', PATH, { iat: undefined })}`,
  'an unknown app': one => `JWT ${appToken(one, 'GET', PATH, { iss: 'nobody' })}`,
  'another secret': one =>
    `JWT ${appToken({ ...one, baseUrl: one.baseUrl, sharedSecret: 'x'.repeat(40) }, 'GET', PATH)}`,
  'another scheme': one => `Bearer ${appToken(one, 'GET', PATH)}`,
}
for (const [name, authorization] of Object.entries(refused)) {
  test(`401: ${name}`, async () => {
    const response = await fetch(jira.baseUrl + PATH, { headers: { authorization: authorization(jira) } })
    assert.equal(response.status, 401)
  })
}

test('the token of one tenant opens no other', async () => {
  const confluence = await host.install(app.descriptorUrl, site.confluence)
  const headers = { authorization: `JWT ${appToken(jira, 'GET', PATH)}` }
  assert.equal((await fetch(confluence.baseUrl + PATH, { headers })).status, 401)
  assert.equal((await callProduct(confluence, 'GET', PATH)).status, 200)
})

test('app properties are made, changed, listed and removed by the app itself', async () => {
  const one = `${PATH}/properties/colour`
  assert.equal((await callProduct(jira, 'PUT', one, { is: 'red' })).status, 201)
  assert.equal((await callProduct(jira, 'PUT', one, { is: 'blue' })).status, 200)
  assert.deepEqual(((await (await callProduct(jira, 'GET', one)).json()) as Json).value, { is: 'blue' })
  const list = (await (await callProduct(jira, 'GET', `${PATH}/properties`)).json()) as { keys: Json[] }
  assert.deepEqual(
    list.keys.map(({ key }) => key),
    ['colour'],
  )
  assert.equal((await callProduct(jira, 'DELETE', one)).status, 204)
  assert.equal((await callProduct(jira, 'GET', one)).status, 404)
  assert.equal((await callProduct(jira, 'GET', '/rest/atlassian-connect/1/addons/other')).status, 404)
})

test('after the uninstall nothing of the app is good any more', async () => {
  const other = host.createSite({ name: 'other' })
  const installation = await host.install(app.descriptorUrl, other.jira)
  assert.equal((await callProduct(installation, 'GET', PATH)).status, 200)
  await installation.uninstall()
  assert.equal((await callProduct(installation, 'GET', PATH)).status, 401)
})
