/** The app's own routes behind every framework: descriptor, install, webhook, page, uninstall, limits of bodies, what is not ours. */

import assert from 'node:assert/strict'
import { exchange, statusIn } from '../../e2e/http-raw.ts'
import { eventually } from '../processes.ts'
import { OPEN_TEXT } from './author.ts'
import { type AdapterCase, assertPrivate, assertRefused, bearer, below, jsonOf, post, raw } from './case-tools.ts'
import type { AdapterTenant, AdapterWorld } from './world.ts'

const noteOf = async (world: AdapterWorld, tenant: AdapterTenant) => (await jsonOf(world.ask('/page', tenant))).note

export const ownRouteCases: readonly AdapterCase[] = [
  {
    name: 'the descriptor is served to anybody, and HEAD and OPTIONS of it',
    async run(world) {
      const descriptor = await jsonOf(world.ask('/addon/capabilities'))
      assert.equal(descriptor.name, 'Adapters')
      const head = await world.ask('/addon/capabilities', undefined, { method: 'HEAD' })
      assert.equal(head.status, 200)
      assert.equal(head.headers.get('content-length'), String(JSON.stringify(descriptor).length))
      assert.equal(await head.text(), '')
      const options = await world.ask('/addon/capabilities', undefined, { method: 'OPTIONS' })
      assert.equal(options.status, 204)
      assert.equal(options.headers.get('allow'), 'GET, HEAD, OPTIONS')
      assert.equal(options.headers.get('x-powered-by'), null)
    },
  },
  {
    name: 'a page shows the tenant that asked',
    async run(world) {
      const response = await world.ask('/page', world.ada)
      assertPrivate(response)
      assert.equal((await jsonOf(response)).tenant, world.ada.id)
      assert.equal((await jsonOf(world.ask('/page', world.bob))).tenant, world.bob.id)
    },
  },
  {
    name: 'a webhook is accepted and done for its tenant alone',
    async run(world) {
      const [one, other] = [await world.install('Cleo'), await world.install('Dora')]
      const { deliveries } = await one.room.say(one.user, '/say hello')
      assert.deepEqual(
        deliveries.map(({ attempts }) => attempts.map(attempt => attempt.status)),
        [[204]],
      )
      await eventually('the note', async () => (await noteOf(world, one)) === 'hello')
      assert.equal(await noteOf(world, other), null)
    },
  },
  {
    name: 'an uninstall ends the pages and the guarded routes of its tenant',
    async run(world) {
      const tenant = await world.install('Eve')
      assert.equal((await world.ask('/own/whoami', tenant)).status, 200)
      assert.equal((await tenant.installation.uninstall()).ok, true)
      await assertRefused(world.ask('/page', tenant), 401, 'ERR_TOKEN_SIGNATURE')
      await assertRefused(world.ask('/own/whoami', tenant), 401, 'ERR_TOKEN_SIGNATURE')
    },
  },
  {
    name: 'H 79: methods, content types and bodies that do not fit are refused with their code',
    async run(world) {
      const wrongMethod = await world.ask('/addon/installable', undefined, { method: 'PUT' })
      assert.equal(wrongMethod.headers.get('allow'), 'POST, OPTIONS')
      await assertRefused(wrongMethod, 405, 'ERR_METHOD_NOT_ALLOWED')
      const text = post('{}', { 'content-type': 'text/plain' })
      await assertRefused(world.ask('/addon/installable', undefined, text), 415, 'ERR_CONTENT_TYPE')
      const packed = post('{}', { 'content-encoding': 'gzip' })
      await assertRefused(world.ask('/addon/installable', undefined, packed), 415, 'ERR_CONTENT_ENCODING')
      await assertRefused(world.ask('/addon/installable', undefined, post('{')), 400, 'ERR_BODY_INVALID')
      await assertRefused(world.ask('/addon/webhook', undefined, post('{}')), 401, 'ERR_TOKEN_MISSING')
    },
  },
  {
    name: 'H 78: a body that is announced too large is 413 before it is read, one that grows too large while it is',
    async run(world) {
      const head = `POST ${below('/addon/installable')} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n`
      const bytes = Buffer.alloc(3_000_000, 0x20)
      for (const parts of [
        [`${head}Content-Length: 3000000\r\n\r\n`, bytes],
        [`${head}Transfer-Encoding: chunked\r\n\r\n2DC6C0\r\n`, bytes, '\r\n0\r\n\r\n'],
      ]) {
        const isAnswered = (text: string) => text.includes('ERR_BODY_TOO_LARGE')
        const isNode = world.framework.hasRawTarget
        const { text, ending } = await exchange(world.server.port, parts, isNode ? undefined : isAnswered)
        assert.equal(statusIn(text), 413)
        assert.ok(isAnswered(text), text)
        // How the server of another platform ends a connection is its own matter.
        if (isNode) assert.equal(ending, 'end')
      }
    },
  },
  {
    name: 'every other request goes to the next one',
    async run(world) {
      assert.equal(await (await world.ask('/open')).text(), OPEN_TEXT)
      assert.ok([401, 404].includes((await world.ask('/addon/other')).status))
      assert.ok([401, 404].includes((await world.ask('/addon/capabilities/')).status))
    },
  },
  {
    name: 'H 81: another spelling of a path of the app’s own is another path, and so is one without the prefix',
    async run(world) {
      for (const target of [
        below('/addon/%63apabilities'),
        below('/Addon/capabilities'),
        below('/addon//capabilities'),
        '/addon/capabilities',
        // Where they are not seen as they came, they are the page itself, for its own tenant.
        ...(world.framework.hasRawTarget ? [`http://localhost${below('/page')}`, `/${below('/page')}`] : []),
      ]) {
        const text = await raw(world, 'GET', target, [bearer(world.ada)])
        assert.ok([400, 401, 404].includes(statusIn(text)), `${target}: ${text}`)
        assert.ok(!text.includes(world.ada.id), target)
      }
    },
  },
]
