// The content of a glance, and the route where the host's page asks for it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { headerOf } from '../../../../src/core/header-list.ts'
import type { GlanceHandler } from '../../../../src/dialects/hipchat/glance.ts'
import { type GlanceInput, glanceContent, LOZENGE_TYPES } from '../../../../src/dialects/hipchat/glance-content.ts'
import type { Answer } from '../../../../src/http/view.ts'
import { createWorld, errorCode, view } from './world.ts'

const PATH = '/addon/glance/open'

async function worldWith(handler: GlanceHandler) {
  const world = createWorld({}, addon => addon.glance({ key: 'open', name: 'Open', icon: '/i.png' }, handler))
  await world.install('one')
  const query = (): Promise<Answer> => world.request(view('GET', `${PATH}?signed_request=${world.sign('one')}`))
  return Object.assign(world, { query })
}

const originOf = (answer: Answer) => headerOf(answer.headers, 'access-control-allow-origin')

test('a text is an HTML label; status and metadata go through', () => {
  assert.deepEqual(glanceContent({ label: '<b>5</b> open' }), { label: { type: 'html', value: '<b>5</b> open' } })
  const full: GlanceInput = {
    label: { type: 'html', value: 'x' },
    status: { type: 'lozenge', value: { label: 'LATE', type: 'error' } },
    metadata: { late: true, list: [1, { deep: null }] },
  }
  assert.deepEqual(glanceContent(full), full)
  for (const type of LOZENGE_TYPES)
    glanceContent({ label: 'x', status: { type: 'lozenge', value: { label: 'x', type } } })
  assert.deepEqual(
    glanceContent({ label: 'x', status: { type: 'icon', value: 'https://greeter.example/i.png' } }).status,
    { type: 'icon', value: { url: 'https://greeter.example/i.png', 'url@2x': 'https://greeter.example/i.png' } },
  )
})

test('content that is none is an error that names the field and not the value', () => {
  const wrong: [unknown, string][] = [
    [undefined, 'whole'],
    ['top secret', 'whole'],
    [{}, 'label'],
    [{ label: '' }, 'label.value'],
    [{ label: { type: 'text', value: 'top secret' } }, 'label.type'],
    [{ label: 'x', status: { type: 'lozenge', value: { label: 'x', type: 'top secret' } } }, 'status.value.type'],
    [{ label: 'x', status: { type: 'lozenge', value: { type: 'new' } } }, 'status.value.label'],
    [{ label: 'x', status: { type: 'top secret' } }, 'status.type'],
    [{ label: 'x', status: { type: 'icon', value: '/relative.png' } }, 'status.value.url'],
    [{ label: 'x', metadata: ['top secret'] }, 'metadata'],
    [{ label: 'x', metadata: { at: () => 1 } }, 'metadata.at'],
    [{ label: 'x', extra: 'top secret' }, 'whole'],
  ]
  for (const [input, field] of wrong) {
    assert.throws(
      () => glanceContent(input as GlanceInput),
      (error: Error) => {
        assert.ok(error instanceof TypeError)
        assert.ok(error.message.startsWith(`the content of a glance, ${field}: `), `${field}: ${error.message}`)
        assert.doesNotMatch(error.message, /top secret/)
        return true
      },
    )
  }
})

test('a query is answered as the tenant of its token', async () => {
  const world = await worldWith(async ctx => ({ label: `${ctx.tenant.id} ${ctx.authentication.userId}` }))
  const answer = await world.query()
  assert.equal(answer.status, 200)
  assert.deepEqual(JSON.parse(String(answer.body)), { label: { type: 'html', value: 'one 42' } })
  assert.equal(headerOf(answer.headers, 'content-type'), 'application/json; charset=utf-8')
  assert.equal(headerOf(answer.headers, 'cache-control'), 'no-store')
})

test('H 82: any origin may read the answer of a query, errors too, and no credentials go with it', async () => {
  const world = await worldWith(() => {
    throw new Error('inner words')
  })
  const answers: [Answer, number, string][] = [
    [await world.query(), 500, 'ERR_HANDLER_FAILED'],
    [await world.request(view('GET', PATH)), 401, 'ERR_TOKEN_MISSING'],
    [await world.request(view('GET', `${PATH}?signed_request=x`)), 401, 'ERR_TOKEN_MALFORMED'],
  ]
  for (const [answer, status, code] of answers) {
    assert.deepEqual([answer.status, errorCode(answer)], [status, code])
    assert.equal(originOf(answer), '*', code)
    assert.equal(headerOf(answer.headers, 'access-control-allow-credentials'), undefined)
    assert.doesNotMatch(String(answer.body), /inner words/)
  }
})

test('H 82: the answer of a query carries the glance alone, no session token', async () => {
  const world = await worldWith(ctx => ({ label: String(ctx.authentication.token.length) }))
  const answer = await world.query()
  assert.equal(answer.status, 200)
  assert.equal(headerOf(answer.headers, 'jwt'), undefined)
  assert.equal(headerOf(answer.headers, 'access-control-expose-headers'), undefined)
})

test('H 82: other routes of the add-on answer no other origin', async () => {
  const world = await worldWith(() => ({ label: 'x' }))
  const elsewhere = createWorld({}, addon =>
    addon.page('/page', () => 'page').webPanel({ key: 'a', name: 'A' }, () => 'panel'),
  )
  await elsewhere.install('one')
  const answers = [
    await world.request(view('GET', '/addon/capabilities')),
    await world.request(view('POST', '/addon/webhook')),
    await elsewhere.request(view('GET', `/page?signed_request=${elsewhere.sign('one')}`)),
    await elsewhere.request(view('GET', `/addon/webPanel/a?signed_request=${elsewhere.sign('one')}`)),
    await elsewhere.request(view('OPTIONS', '/addon/webPanel/a')),
  ]
  for (const answer of answers) {
    assert.ok(!answer.headers.some(name => name.startsWith('access-control-')), answer.headers.join())
  }
})

test('a browser that asks first may send the token in a header', async () => {
  const world = await worldWith(ctx => ({ label: ctx.tenant.id }))
  const leave = await world.request(view('OPTIONS', PATH, { headers: { origin: 'https://host.example' } }))
  assert.equal(leave.status, 204)
  assert.equal(originOf(leave), '*')
  assert.equal(headerOf(leave.headers, 'access-control-allow-methods'), 'GET')
  assert.equal(headerOf(leave.headers, 'access-control-allow-headers'), 'authorization, x-acpt')
  const asked = await world.request(view('GET', PATH, { headers: { authorization: `JWT ${world.sign('one')}` } }))
  assert.equal(asked.status, 200)
})

test('an author’s mistake in the content is a handler that failed', async () => {
  for (const made of [
    undefined,
    {},
    { label: 'x', status: { type: 'lozenge', value: { label: 'x', type: 'loud' } } },
  ]) {
    const world = await worldWith(() => made as GlanceInput)
    const answer = await world.query()
    assert.deepEqual([answer.status, errorCode(answer)], [500, 'ERR_HANDLER_FAILED'])
  }
})

test('a query by a broken address is the caller’s mistake', async () => {
  const world = await worldWith(() => ({ label: 'x' }))
  const answer = await world.request(view('GET', `${PATH}?a=%ff&signed_request=${world.sign('one')}`))
  assert.deepEqual([answer.status, errorCode(answer), originOf(answer)], [400, 'ERR_REQUEST_TARGET', '*'])
})

test('a glance may be asked for at a path of the author’s choice', async () => {
  const world = createWorld({}, addon => addon.glance('open', 'Open', '/i.png', 'list', () => ({ label: 'first' })))
  const own = createWorld({}, addon =>
    addon.glance({ key: 'open', name: 'Open', icon: '/i.png', queryUrl: '/ask' }, () => ({ label: 'second' })),
  )
  for (const [one, path] of [
    [world, PATH],
    [own, '/ask'],
  ] as const) {
    await one.install('one')
    const { glance } = one.addon.descriptor.capabilities as { glance: { queryUrl: string }[] }
    assert.equal(glance[0]?.queryUrl, `https://greeter.example${path}`)
    assert.equal((await one.request(view('GET', `${path}?signed_request=${one.sign('one')}`))).status, 200)
  }
})
