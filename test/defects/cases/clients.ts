/** Calls to the host: tokens, scopes, methods: defects 21 to 23. */

import assert from 'node:assert/strict'
import { FAULTS, slow } from 'partywall/host'
import type { DefectCase } from '../case.ts'
import { call, install, type Target, type Tenant } from '../target.ts'

export const CLIENT_CASES: readonly DefectCase[] = [
  {
    defect: 21,
    name: 'ten calls at once ask for one token',
    async run(target) {
      const tenant = await install(target)
      const stop = target.host.faults.inject(slow('token', 300))
      try {
        const asked = await requestsDuring(target, tenant, () =>
          Promise.all(Array.from({ length: 10 }, () => call(tenant, 'roomClient', 'getRoom'))),
        )
        const tokens = asked.filter(({ path }) => path === '/v2/oauth/token').length
        assert.ok(tokens <= 1, `${tokens} token requests`)
      } finally {
        stop()
      }
    },
  },
  {
    defect: 21,
    name: 'a call whose token the host has revoked succeeds with a new one',
    async run(target) {
      const tenant = await install(target)
      const { oauthId } = tenant.installation
      await call(tenant, 'roomClient', 'getRoom')
      target.host.faults.inject({ ...FAULTS.restUnauthorized, oauthId, times: 1 })
      const { error } = await call(tenant, 'roomClient', 'getRoom')
      assert.equal(error, undefined, `fails: ${error?.replace(/http\S+/, '')}`)
    },
  },
  {
    defect: 22,
    name: 'a scope the descriptor does not declare is refused before any request',
    async run(target) {
      const tenant = await install(target)
      const said: { error?: string } = {}
      const asked = await requestsDuring(target, tenant, async () =>
        Object.assign(said, await call(tenant, 'tenantClient', 'getToken', ['admin_group'])),
      )
      const requests = asked.map(({ method, path }) => `${method} ${path}`)
      assert.deepEqual(requests, [], `the host is asked: ${requests}`)
      assert.match(said.error ?? 'granted', /admin_group|scope/i)
    },
  },
  {
    defect: 23,
    name: 'a link is shared by POST',
    async run(target) {
      const tenant = await install(target)
      const asked = await requestsDuring(target, tenant, () =>
        call(tenant, 'roomClient', 'shareLinkWithRoom', ['https://example.com', 'Look']),
      )
      const [shared] = asked.filter(({ path }) => path.endsWith('/share/link'))
      assert.equal(shared?.method, 'POST', `sent as ${shared?.method}`)
    },
  },
  ...['getWebhook', 'deleteWebhook', 'getRoomWebhook', 'deleteRoomWebhook'].map(
    (method): DefectCase => ({
      defect: 23,
      name: `the client of a room has ${method}`,
      async run(target) {
        assert.equal((await call(await install(target), 'roomClient', 'typeof', [method])).value, 'function')
      },
    }),
  ),
  {
    defect: 23,
    name: 'a room is made from its name alone',
    async run(target) {
      const tenant = await install(target)
      const said: { error?: string } = {}
      const asked = await requestsDuring(target, tenant, async () =>
        Object.assign(said, await call(tenant, 'tenantClient', 'createRoom', [{ name: 'Attic' }])),
      )
      const isSent = asked.some(({ method, path }) => method === 'POST' && path === '/v2/room')
      assert.ok(isSent, `refused before it is sent: ${said.error}`)
    },
  },
]

/** What the host was asked with this installation's credentials meanwhile. */
async function requestsDuring(target: Target, { installation }: Tenant, work: () => Promise<unknown>) {
  const asked: { readonly method: string; readonly path: string }[] = []
  const stop = target.host.on('request', ({ method, path, oauthId }) => {
    // A refused token request comes with credentials that are no good for it.
    if (oauthId === installation.oauthId || path === '/v2/oauth/token') asked.push({ method, path })
  })
  try {
    await work()
    return asked
  } finally {
    stop()
  }
}
