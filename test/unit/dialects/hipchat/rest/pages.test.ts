// Lists: every item over the host's links, only below the tenant's own API, and bounded.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ItemsOptions } from '../../../../../src/dialects/hipchat/rest/pages.ts'
import { apiCalls, ready } from '../client-world.ts'
import { answer, HOST } from '../world.ts'

const room = (id: number) => ({ id, name: `Room ${id}` })

/** A host whose list of rooms has the pages that `next` leads through. */
async function listed(pages: Readonly<Record<string, { items: unknown[]; next?: string }>>) {
  const { world, run } = await ready()
  world.intercept = ({ url }) => {
    const page = pages[url.replace(`${HOST}/v2`, '')]
    return page === undefined ? undefined : answer(200, { items: page.items, links: { next: page.next } })
  }
  const collect = async (options?: ItemsOptions) => {
    const ids: number[] = []
    await run(async ({ tenantClient }) => {
      for await (const { id } of tenantClient.items(tenantClient.getRooms(), options)) ids.push(id)
    })
    return ids
  }
  return { world, run, collect }
}

test('all items of all pages, read with the scope of the first', async () => {
  const { world, collect } = await listed({
    '/room': { items: [room(1), room(2)], next: `${HOST}/v2/room?start-index=2` },
    '/room?start-index=2': { items: [room(3)], next: `${HOST}/v2/room?start-index=3` },
    '/room?start-index=3': { items: [] },
  })
  assert.deepEqual(await collect(), [1, 2, 3])
  const calls = apiCalls(world)
  assert.equal(calls.length, 3)
  assert.equal(new Set(calls.map(call => call.headers?.authorization)).size, 1)
})

test('C 39: a link that leads anywhere but below the tenant’s own API is not followed', async () => {
  const links = [
    'https://evil.example/v2/room',
    'https://host.example.evil.example/v2/room',
    'http://host.example/v2/room',
    `${HOST}/other`,
    `${HOST}/v2/../admin`,
    'javascript:alert(1)',
  ]
  for (const next of links) {
    const { world, collect } = await listed({ '/room': { items: [room(1)], next } })
    await assert.rejects(collect(), ({ code }) => code === 'ERR_OUTBOUND_REFUSED' || code === 'ERR_OUTBOUND_URL', next)
    assert.equal(apiCalls(world).length, 1, next)
  }
})

test('a list longer than wanted is refused, not cut', async () => {
  const { collect } = await listed({ '/room': { items: [room(1), room(2), room(3)] } })
  assert.deepEqual(await collect({ maxItems: 3 }), [1, 2, 3])
  await assert.rejects(collect({ maxItems: 2 }), { code: 'ERR_RESULT_TOO_LARGE' })
})

test('a host whose pages lead in a circle is left after 1,000 of them', async () => {
  const { world, collect } = await listed({ '/room': { items: [], next: `${HOST}/v2/room` } })
  await assert.rejects(collect(), { code: 'ERR_RESULT_TOO_LARGE' })
  assert.equal(apiCalls(world).length, 1_000)
})

test('a page that this client did not give is refused: nobody knows its scope', async () => {
  const { world, run } = await ready()
  const foreign = { items: [1], links: { next: `${HOST}/v2/room` } }
  await assert.rejects(
    run(async ({ tenantClient }) => {
      for await (const item of tenantClient.items(foreign)) assert.equal(item, 1)
    }),
    { code: 'ERR_CALL_INVALID' },
  )
  assert.equal(apiCalls(world).length, 0)
})

test('an answer that is no list of such items is the host’s fault, named by its field', async () => {
  const { collect } = await listed({ '/room': { items: [{ id: 'one', name: 'x' }] } })
  await assert.rejects(collect(), { code: 'ERR_HOST_RESPONSE', details: { field: 'items[0].id' } })
})
