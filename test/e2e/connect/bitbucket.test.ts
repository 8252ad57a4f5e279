// Bitbucket's older rules of installing: what nobody signed counts only when Bitbucket itself honours it.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { after, before, test } from 'node:test'
import { jwtVerify } from 'jose'
import type { ConnectApp } from 'partywall'
import { type ConnectWorld, outcomeOf, startConnectWorld } from '../../support/connect-app.ts'
import { type FakeSite, post, queryHash } from '../../support/fake-product.ts'

const TOKEN_PATH = '/site/oauth2/access_token'

let world: ConnectWorld
/** Secrets that Bitbucket has given out, by `clientKey`. */
const honoured = new Map<string, string>()
let trouble: number | undefined

before(async () => {
  world = await startConnectWorld(
    (connect: ConnectApp) => void connect.page('/page', ({ tenant }) => ({ tenant: tenant.id })),
    product => ({ family: 'bitbucket', authorizationServer: product.url }),
  )
  world.product.answer = (request, response) => void giveToken(request, response)
})
after(() => world?.close())

async function giveToken(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const status = trouble ?? ((await isHonoured(request)) ? 200 : 401)
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(status === 200 ? { access_token: 'abc', expires_in: 3600 } : { error: 'invalid_client' }))
}

async function isHonoured({ headers, url, method }: IncomingMessage): Promise<boolean> {
  const token = headers.authorization?.replace(/^JWT /, '') ?? ''
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
    sub: string
    qsh: string
  }
  const secret = honoured.get(claims.sub)
  if (secret === undefined || url !== TOKEN_PATH || method !== 'POST') return false
  assert.equal(claims.qsh, queryHash('POST', TOKEN_PATH))
  return jwtVerify(token, Buffer.from(secret), { issuer: 'com.example.connect' }).then(
    () => true,
    () => false,
  )
}

/** An `installed` with a secret that Bitbucket knows, signed with `signer` where there is one. */
async function install(site: FakeSite, signer?: string): Promise<string> {
  site.secret = randomBytes(24).toString('hex')
  honoured.set(site.clientKey, site.secret)
  return sendInstalled(site, site.secret, signer)
}
const sendInstalled = async (site: FakeSite, sharedSecret: string, signer?: string) => {
  const token = signer === undefined ? undefined : await site.sign(site.claims('POST', '/installed'), signer)
  return outcomeOf(
    post(`${world.url}/installed`, token, site.body('installed', { sharedSecret, productType: 'bitbucket' })),
  )
}
const createSite = () => world.product.createSite(world.url, randomBytes(3).toString('hex'))

test('a first install needs no signature when Bitbucket gives a token for its secret', async () => {
  const site = createSite()
  assert.equal(await install(site), '204')
  assert.equal((await site.toggle('enabled')).status, 204)
  assert.equal((await site.ask('/page')).status, 200)
})

test('a first install with a secret that Bitbucket does not honour stores nothing', async () => {
  const site = createSite()
  assert.equal(await sendInstalled(site, site.secret), '403 ERR_INSTALL_TOKEN_REFUSED')
  assert.equal(await outcomeOf(site.ask('/page')), '401 ERR_TOKEN_SIGNATURE')
  trouble = 500
  assert.match(await sendInstalled(site, site.secret), /^503 /)
  trouble = undefined
  assert.equal(await outcomeOf(site.ask('/page')), '401 ERR_TOKEN_SIGNATURE')
})

test('a later install must be signed with the secret before', async () => {
  const site = createSite()
  await install(site)
  const { secret } = site
  const next = randomBytes(24).toString('hex')
  honoured.set(site.clientKey, next)
  assert.equal(await sendInstalled(site, next), '401 ERR_TOKEN_MISSING')
  assert.equal(await sendInstalled(site, next, next), '401 ERR_TOKEN_SIGNATURE')
  assert.equal((await site.ask('/page')).status, 200)
  assert.equal(await install(site, secret), '204')
  assert.equal((await site.ask('/page')).status, 200)
})

test('another tenant’s signature installs nothing, and uninstalls nothing', async () => {
  const [site, other] = [createSite(), createSite()]
  await install(site)
  await install(other)
  const token = await other.sign(other.claims('POST', '/installed'))
  const body = site.body('installed', { sharedSecret: site.secret, productType: 'bitbucket' })
  assert.equal(await outcomeOf(post(`${world.url}/installed`, token, body)), '401 ERR_TENANT_MISMATCH')
  const removal = await other.sign(other.claims('POST', '/uninstalled'))
  assert.equal(
    await outcomeOf(post(`${world.url}/uninstalled`, removal, site.body('uninstalled'))),
    '401 ERR_TENANT_MISMATCH',
  )
  assert.equal((await site.ask('/page')).status, 200)
})

test('an uninstall is signed with the tenant’s secret; afterwards an install is proved like a first one', async () => {
  const site = createSite()
  await install(site)
  assert.equal(
    await outcomeOf(post(`${world.url}/uninstalled`, undefined, site.body('uninstalled'))),
    '401 ERR_TOKEN_MISSING',
  )
  const token = await site.sign(site.claims('POST', '/uninstalled'))
  assert.equal(await outcomeOf(post(`${world.url}/uninstalled`, token, site.body('uninstalled'))), '204')
  assert.equal(await outcomeOf(site.ask('/page')), '401 ERR_TOKEN_SIGNATURE')
  assert.equal(await sendInstalled(site, 'x'.repeat(40)), '403 ERR_INSTALL_TOKEN_REFUSED')
  assert.equal(await install(site), '204')
  assert.equal((await site.ask('/page')).status, 200)
})
