/** Rows that a living process holds and does not know of: their commit went through unseen, or their outcome was never written. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ask, createAppWorld, deliver, freshToken } from '../support/app-world.ts'
import { createTestDatabase } from '../support/database.ts'
import { eventually } from '../support/processes.ts'

test('D 41, H 88: a delivery that got lost on the way to its process is run when its lease ends; what is in memory is not', async t => {
  const database = await createTestDatabase()
  t.after(() => database.close())
  const world = await createAppWorld(t, { urls: database.urls, app: { jobs: { leaseSeconds: 1, pollMs: 100 } } })
  const app = await world.start()
  const installation = await world.install()
  const tenant = installation.oauthId
  assert.equal((await deliver(app.url, installation, '/work hold')).status, 204)
  const { id } = await app.event({ event: 'started', tenant })

  const [lost] = await database.admin(
    `insert into pw.inbox (tenant_id, id, identity_uid, handler, payload, state, lease_owner, lease_until, keep_until)
      select tenant_id, gen_random_uuid(), identity_uid, handler, payload, 'running', lease_owner, lease_until, keep_until
        from pw.inbox where id = $1 returning id`,
    [String(id)],
  )
  await app.event({ event: 'started', id: lost?.id })
  app.tell('open')
  await eventually('both are done', async () => {
    const { body } = await ask(app.url, '/count', freshToken(installation))
    return (body as { count: number }).count === 2
  })
  assert.equal(app.told({ event: 'started', id }).length, 1, 'the lease of what runs was renewed')
})
