// What `npm start` shows of Forge: the notes app in three installations, its scenario, and what is refused.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startConnectHost } from 'partywall/host'
import { startForgeNotes } from '../../../examples/forge-notes.ts'
import { createTestDatabase } from '../../support/database.ts'
import { forgePackages } from '../../support/forge-packages.ts'
import { freePort } from '../../support/free-port.ts'

// The example's own packages come the same way.
const { skip } = await forgePackages('8.3')

test('the notes app of npm start: three installations, each with its own notes and nobody else’s', skip, async t => {
  const database = await createTestDatabase()
  const products = await startConnectHost()
  const { admin: _, ...urls } = database.urls
  const key = Buffer.alloc(32, 7)
  const lines: string[] = []
  const notes = await startForgeNotes(
    {
      products,
      port: await freePort(),
      database: { urls, environment: {} },
      keys: { current: { id: 'example', key }, find: id => (id === 'example' ? key : undefined) },
      logLevel: 'error',
    },
    line => void lines.push(line),
  )
  t.after(async () => {
    await notes.close()
    await products.close()
    await database.close()
  })
  const { tenants, refusals, webTriggerUrl } = notes.report
  assert.deepEqual(
    tenants.map(({ name, sees }) => `${name}: ${sees}`),
    [
      'initech Forge: The matter of initech: only initech knows, from outside, by web trigger, A fresh issue.',
      'hooli Forge: The matter of hooli: only hooli knows, A fresh issue.',
      'umbrella Forge: The matter of umbrella: only umbrella knows, A fresh issue.',
    ],
  )
  assert.deepEqual(
    refusals.map(({ answer }) => answer),
    ['404', 'NEEDS_AUTHENTICATION_ERR'],
  )
  assert.match(lines.join('\n'), /each installation in its own jailed process|NOT ISOLATED/)
  assert.equal((await fetch(webTriggerUrl, { method: 'POST', body: 'no JSON' })).status, 400)
})
