// Values kept at the product: the app's own, those of issues and the like, those of content; and modules of one tenant.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createClientWorld } from './client-world.ts'
import type { Recorded, Reply } from './recording-server.ts'

/** A product that keeps properties by path. */
function keepProperties(base: string) {
  const rows = new Map<string, unknown>()
  const reply = ({ method, target, body }: Recorded): Reply => {
    const path = target.split('?')[0] ?? ''
    if (path === base) return { status: 200, body: { keys: [...rows.keys()].map(key => ({ key, self: 'x' })) } }
    const key = decodeURIComponent(path.slice(base.length + 1))
    if (method === 'GET') return rows.has(key) ? { status: 200, body: { key, value: rows.get(key) } } : { status: 404 }
    if (method === 'DELETE') return { status: rows.delete(key) ? 204 : 404 }
    const status = rows.has(key) ? 200 : 201
    rows.set(key, JSON.parse(body))
    return { status, body: {} }
  }
  return { rows, reply }
}

test('app properties are set, read, listed and deleted', async t => {
  const world = await createClientWorld(t, { scopes: [] })
  await world.install('ada')
  const { rows, reply } = keepProperties('/wiki/rest/atlassian-connect/1/addons/com.example.notes/properties')
  world.product.reply = reply
  await world.call('ada', async ({ appProperties }) => {
    assert.equal(await appProperties.get('a/b ü'), undefined)
    assert.deepEqual(await appProperties.set('a/b ü', { on: true }), { isNew: true })
    assert.deepEqual(await appProperties.set('a/b ü', null), { isNew: false })
    assert.equal(await appProperties.get('a/b ü'), null)
    assert.deepEqual(await appProperties.list(), ['a/b ü'])
    assert.equal(await appProperties.del('a/b ü'), true)
    assert.equal(await appProperties.del('a/b ü'), false)
  })
  assert.equal(rows.size, 0)
})

test('properties of issues and users are found where Jira has them', async t => {
  const world = await createClientWorld(t)
  await world.install('ada', { baseUrl: world.product.origin })
  world.product.reply = () => ({ status: 200, body: { key: 'k', value: 1 } })
  await world.call('ada', async client => {
    assert.equal(await client.entityProperties('issue', 'AB-1').get('k'), 1)
    assert.equal(await client.entityProperties('user', '5b10').get('k'), 1)
    assert.equal(await client.entityProperties('sprint', 7).get('k'), 1)
    for (const [entity, id] of [
      ['constructor', 1],
      ['nothing', 1],
      ['issue', ''],
      ['issue', '..'],
    ] as const) {
      assert.throws(() => client.entityProperties(entity as 'issue', id), /./, entity)
    }
  })
  assert.deepEqual(
    world.product.calls.map(call => call.target),
    [
      '/rest/api/3/issue/AB-1/properties/k',
      '/rest/api/3/user/properties/k?accountId=5b10',
      '/rest/agile/1.0/sprint/7/properties/k',
    ],
  )
})

test('a key or value that no product takes is refused before anything leaves', async t => {
  const world = await createClientWorld(t)
  await world.install('ada')
  await world.call('ada', async client => {
    for (const properties of [client.appProperties, client.contentProperties(5)]) {
      for (const key of ['', '..', 'x'.repeat(128), 'a\n', '../../x/..']) {
        await assert.rejects(properties.set(key, 1), /./, key)
      }
      await assert.rejects(properties.set('k', 'x'.repeat(32_767)), { code: 'ERR_CALL_INVALID' })
    }
  })
  assert.equal(world.product.calls.length, 0)
})

test('two writers of one property of content: the slower one writes upon the faster one’s', async t => {
  const world = await createClientWorld(t)
  await world.install('ada')
  let row: { value: unknown; version: { number: number } } | undefined
  world.product.reply = ({ method, body }) => {
    if (method === 'GET') return row === undefined ? { status: 404 } : { status: 200, body: row }
    const sent = JSON.parse(body)
    const version = method === 'POST' ? 1 : sent.version.number
    if (version !== (row?.version.number ?? 0) + 1) return { status: 409 }
    row = { value: sent.value, version: { number: version } }
    return { status: 200, body: row }
  }
  const writes = [1, 2, 3].map(value => world.call('ada', client => client.contentProperties(5).set('k', value)))
  const isNew = (await Promise.all(writes)).map(written => written.isNew)
  assert.deepEqual(isNew.sort(), [false, false, true])
  assert.equal(row?.version.number, 3)
})

test('a property of content that never stops changing ends in a code', async t => {
  const world = await createClientWorld(t)
  await world.install('ada')
  world.product.reply = ({ method }) => ({ status: method === 'GET' ? 404 : 409 })
  await assert.rejects(
    world.call('ada', client => client.contentProperties(5).set('k', 1)),
    { code: 'ERR_UPDATE_CONTENTION' },
  )
  assert.equal(world.product.calls.length, 8)
})

test('dynamic modules are read, added and taken away; none is never all', async t => {
  const world = await createClientWorld(t)
  await world.install('ada')
  const panels = { webPanels: [{ key: 'a', url: '/a', name: { value: 'A' } }] }
  world.product.reply = ({ method }) => (method === 'GET' ? { status: 200, body: panels } : { status: 202 })
  await world.call('ada', async ({ dynamicModules }) => {
    assert.deepEqual(await dynamicModules.get(), panels)
    await dynamicModules.add(panels)
    await dynamicModules.remove('a', 'b')
    await dynamicModules.clear()
    await assert.rejects(dynamicModules.remove(), { code: 'ERR_CALL_INVALID' })
    await assert.rejects(dynamicModules.remove(''), { code: 'ERR_CALL_INVALID' })
    await assert.rejects(dynamicModules.add({}), { code: 'ERR_CALL_INVALID' })
    await assert.rejects(dynamicModules.add({ webPanels: [{ url: '/a' }] }), { code: 'ERR_CALL_INVALID' })
    await assert.rejects(dynamicModules.add({ webPanels: [{ key: 'a' }, { key: 'a' }] }), {
      code: 'ERR_DESCRIPTOR_INVALID',
    })
    const many = Array.from({ length: 101 }, (_, index) => ({ key: `k${index}` }))
    await assert.rejects(dynamicModules.add({ webPanels: many }), { code: 'ERR_CALL_INVALID' })
  })
  assert.deepEqual(
    world.product.calls.map(call => `${call.method} ${call.target.slice('/wiki/rest/atlassian-connect/1'.length)}`),
    [
      'GET /app/module/dynamic',
      'POST /app/module/dynamic',
      'DELETE /app/module/dynamic?moduleKey=a&moduleKey=b',
      'DELETE /app/module/dynamic',
    ],
  )
})
