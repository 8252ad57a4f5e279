// What a page finds around it: addresses for its templates, and who may show it in a frame.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { headerOf } from '../../../../src/core/header-list.ts'
import type { Locals } from '../../../../src/dialects/hipchat/locals.ts'
import type { PageHandler } from '../../../../src/dialects/hipchat/pages.ts'
import type { Answer } from '../../../../src/http/view.ts'
import { createWorld, errorCode, view } from './world.ts'

const policyOf = (answer: Answer) => headerOf(answer.headers, 'content-security-policy')

async function open(handler: PageHandler, environment?: string): Promise<Answer> {
  const world = createWorld({}, addon => addon.page('/page', handler), environment)
  await world.install('one')
  return world.request(view('GET', `/page?theme=dark&signed_request=${world.sign('one')}`))
}

test('B4 locals, localBaseUrl, tenantBaseUrl, tenantScriptUrl, tenantStylesheetUrl: addresses of both sides', async () => {
  const wanted = {
    localBaseUrl: 'https://greeter.example',
    tenantBaseUrl: 'https://host.example',
    tenantScriptUrl: 'https://host.example/atlassian-connect/all.js',
    tenantStylesheetUrl: 'https://host.example/atlassian-connect/all.css',
  }
  const answer = await open(ctx => ctx.locals)
  assert.deepEqual(JSON.parse(String(answer.body)), wanted)
  const inDevelopment = await open(ctx => ctx.locals, 'development')
  assert.deepEqual(JSON.parse(String(inDevelopment.body)), {
    ...wanted,
    tenantScriptUrl: 'https://host.example/atlassian-connect/all-debug.js',
    tenantStylesheetUrl: 'https://host.example/atlassian-connect/all-debug.css',
  })
})

test('B4 authToken: a session token is made when it is read, and no sooner', async () => {
  const unread = await open(ctx => ctx.locals.localBaseUrl)
  assert.equal(headerOf(unread.headers, 'jwt'), undefined)
  const read = await open(ctx => ctx.locals.authToken)
  assert.equal(headerOf(read.headers, 'jwt'), read.body)
})

test('H 83: no printer and no copy of locals shows the token', async () => {
  const seen: Locals[] = []
  await open(ctx => {
    seen.push(ctx.locals)
    return ctx.locals.authToken
  })
  const [locals] = seen
  assert.ok(locals)
  const { authToken } = locals
  const prints = [
    JSON.stringify(locals),
    JSON.stringify({ ...locals }),
    inspect(locals, { getters: true, showHidden: true }),
  ]
  for (const print of prints) assert.ok(!print.includes(authToken) && print.includes('localBaseUrl'))
})

test('the theme of the host stands in the query', async () => {
  assert.equal((await open(ctx => ctx.query.get('theme') ?? '')).body, 'dark')
})

test('an HTML page may be framed by the tenant’s host alone', async () => {
  const answer = await open(() => '<p>page</p>')
  assert.equal(policyOf(answer), 'frame-ancestors https://host.example')
  assert.equal(headerOf(answer.headers, 'cache-control'), 'no-store')
  assert.equal(headerOf(answer.headers, 'referrer-policy'), 'no-referrer')
  const whole = { status: 200, headers: ['Content-Type', 'Text/HTML'], body: 'x' }
  assert.equal(policyOf(await open(() => whole)), 'frame-ancestors https://host.example')
})

test('an author’s own policy stays, and what is no page gets none', async () => {
  const own = {
    status: 200,
    headers: ['content-type', 'text/html', 'Content-Security-Policy', "default-src 'none'"],
    body: 'x',
  }
  assert.equal(policyOf(await open(() => own)), "default-src 'none'")
  assert.equal(policyOf(await open(() => ({ some: 'json' }))), undefined)
  assert.equal(policyOf(await open(() => undefined)), undefined)
  const world = createWorld({}, addon => addon.page('/open', () => 'anybody', { public: true }))
  assert.equal(policyOf(await world.request(view('GET', '/open'))), undefined)
})

test('a page that failed says nothing of why', async () => {
  const answer = await open(() => Promise.reject(new Error('inner words')))
  assert.deepEqual([answer.status, errorCode(answer)], [500, 'ERR_HANDLER_FAILED'])
})
