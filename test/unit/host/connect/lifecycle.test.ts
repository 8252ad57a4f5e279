// Install and what follows, against an app that checks with jose and atlassian-jwt.
import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { type ConnectHost, DescriptorError, type Site, startConnectHost } from '../../../../src/host/index.ts'
import { APP_KEY, type FakeApp, qshOf, startFakeApp, tokenOf, verifyHs256, verifyRs256 } from './fake-app.ts'

let host: ConnectHost
let app: FakeApp
let site: Site
beforeEach(async () => {
  host = await startConnectHost({ seed: 1 })
  app = await startFakeApp()
  site = host.createSite({ name: 'acme' })
})
afterEach(async () => {
  await app.close()
  await host.close()
})
const last = (path: string) => app.received('POST', path).at(-1)

test('an install tells the app its secret with RS256, then enables it with HS256', async () => {
  const installation = await host.install(app.descriptorUrl, site.jira)
  assert.equal(installation.state, 'enabled')
  const body = last('/installed')?.body ?? {}
  assert.deepEqual(
    [body.key, body.clientKey, body.sharedSecret, body.baseUrl, body.productType, body.eventType],
    [APP_KEY, site.jira.clientKey, installation.sharedSecret, `${host.url}/acme`, 'jira', 'installed'],
  )
  const claims = await verifyRs256(host.keyServerUrl, tokenOf(last('/installed')), app.url)
  assert.deepEqual([claims.iss, claims.qsh], [site.jira.clientKey, qshOf('POST', '/installed')])
  const enabled = await verifyHs256(installation.sharedSecret, tokenOf(last('/enabled')))
  assert.deepEqual([enabled.iss, enabled.qsh], [site.jira.clientKey, qshOf('POST', '/enabled')])
  assert.equal(last('/enabled')?.body.sharedSecret, undefined)
})

test('an app below a path is hashed without that path', async () => {
  const below = await startFakeApp({}, '/app')
  await host.install(below.descriptorUrl, site.jira)
  const claims = await verifyRs256(host.keyServerUrl, tokenOf(below.received('POST', '/installed')[0]), below.url)
  assert.equal(claims.qsh, qshOf('POST', '/app/installed', '/app'))
  await below.close()
})

test('Jira and Confluence of one site are two tenants', async () => {
  const jira = await host.install(app.descriptorUrl, site.jira)
  const confluence = await host.install(app.descriptorUrl, site.confluence)
  assert.notEqual(jira.clientKey, confluence.clientKey)
  assert.notEqual(jira.sharedSecret, confluence.sharedSecret)
  assert.equal(confluence.baseUrl, `${host.url}/acme/wiki`)
})

test('a refused install fails, and its secret is good for nothing', async () => {
  app.answers.set('POST /installed', () => ({ status: 500 }))
  const installation = await host.install(app.descriptorUrl, site.jira)
  assert.deepEqual([installation.state, installation.result?.status], ['failed', 500])
  assert.equal(app.received('POST', '/enabled').length, 0)
})

test('a descriptor that no product would take installs nothing', async () => {
  for (const odd of [{ key: 'a b' }, { authentication: {} }, { lifecycle: {} }, { scopes: ['EVERYTHING'] }]) {
    app.descriptor = { ...app.descriptor, ...odd }
    await assert.rejects(host.install(app.descriptorUrl, site.jira), DescriptorError)
  }
  assert.equal(host.installs.length, 0)
})

test('a re-install has a new secret and the same client key', async () => {
  const installation = await host.install(app.descriptorUrl, site.jira)
  const former = installation.sharedSecret
  await installation.uninstall()
  await verifyRs256(host.keyServerUrl, tokenOf(last('/uninstalled')), app.url)
  await installation.reinstall()
  assert.notEqual(installation.sharedSecret, former)
  assert.deepEqual([installation.state, installation.previousSecret], ['enabled', former])
  assert.equal(last('/installed')?.body.clientKey, site.jira.clientKey)
})

test('a refused rotation of the secret leaves the old one in force', async () => {
  const installation = await host.install(app.descriptorUrl, site.jira)
  const former = installation.sharedSecret
  app.answers.set('POST /installed', () => ({ status: 503 }))
  assert.equal((await installation.reinstall()).ok, false)
  assert.deepEqual([installation.sharedSecret, installation.state], [former, 'enabled'])
})

test('an uninstall may be followed by a late `disabled` without a token', async () => {
  const installation = await host.install(app.descriptorUrl, site.jira)
  await installation.uninstall({ lateDisabled: true })
  assert.deepEqual(
    app.seen.slice(-2).map(({ path }) => path),
    ['/uninstalled', '/disabled'],
  )
  assert.equal(last('/disabled')?.headers.authorization, undefined)
})

test('events come twice, in any order and with another body under the same token', async () => {
  const installation = await host.install(app.descriptorUrl, site.jira)
  const [installed] = installation.results
  assert.ok(installed)
  await installation.send('disabled')
  await installation.replay(installed, { sharedSecret: 'taken over' })
  assert.equal(tokenOf(last('/installed')), installed.token)
  assert.equal(last('/installed')?.body.sharedSecret, 'taken over')
  assert.equal(installation.state, 'enabled')
})

test('a renamed site has another address and the same tenants', async () => {
  const installation = await host.install(app.descriptorUrl, site.confluence)
  site.rename('acme-two')
  await installation.reinstall()
  assert.equal(last('/installed')?.body.baseUrl, `${host.url}/acme-two/wiki`)
  assert.equal(last('/installed')?.body.clientKey, site.confluence.clientKey)
})

test('a deleted site tells nobody', async () => {
  await host.install(app.descriptorUrl, site.jira)
  const before = app.seen.length
  site.delete()
  assert.equal(app.seen.length, before)
  assert.equal((await fetch(`${host.url}/acme/rest/api/3/issue/1`)).status, 404)
})

test('the upgrade to Connect on Forge has the same client key, a new secret and an installation id', async () => {
  const installation = await host.install(app.descriptorUrl, site.jira)
  const former = installation.sharedSecret
  await installation.upgradeToForge()
  const body = last('/installed')?.body ?? {}
  assert.match(String(body.installationId), /^ari:cloud:ecosystem::installation\/[0-9a-f-]{36}$/)
  assert.equal(body.clientKey, site.jira.clientKey)
  assert.notEqual(body.sharedSecret, former)
})

test('a rotated key signs from now on; the former one is published until it is withdrawn', async () => {
  await host.install(app.descriptorUrl, site.jira)
  const first = tokenOf(last('/installed'))
  const key = await host.rotateKey()
  await verifyRs256(host.keyServerUrl, first, app.url)
  await host.install(app.descriptorUrl, site.confluence)
  await verifyRs256(host.keyServerUrl, tokenOf(last('/installed')), app.url)
  await host.rotateKey({ keepOld: false })
  assert.equal((await fetch(`${host.keyServerUrl}/${key.kid}`)).status, 404)
})

test('Bitbucket installs without a token first, and signs with the preceding secret afterwards', async () => {
  const installation = await host.install(app.descriptorUrl, site.bitbucket)
  assert.equal(last('/installed')?.headers.authorization, undefined)
  const former = installation.sharedSecret
  await verifyHs256(former, tokenOf(last('/enabled')))
  await installation.uninstall()
  await verifyHs256(former, tokenOf(last('/uninstalled')))
  await installation.reinstall()
  await verifyHs256(former, tokenOf(last('/installed')))
})

test('after a refused install Bitbucket begins anew, without a token', async () => {
  app.answers.set('POST /installed', () => ({ status: 500 }))
  const installation = await host.install(app.descriptorUrl, site.bitbucket)
  app.answers.delete('POST /installed')
  await installation.reinstall()
  assert.deepEqual([installation.state, last('/installed')?.headers.authorization], ['enabled', undefined])
})
