// Pushes of glances: what a glance shows is checked before anything leaves, by field, and put into the form of the wire.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { GlanceUpdate } from '../../../../../src/dialects/hipchat/rest/glance-push-api.ts'
import { apiCalls, ready } from '../client-world.ts'

const label = { type: 'html', value: '<b>5</b>' } as const

test('pairs and the body of the API are the same; a text is a label', async () => {
  const { world, run } = await ready()
  const updates: GlanceUpdate[] = [
    { glance: [{ key: 'builds', content: { label } }] },
    [['builds', { label }]],
    [['builds', { label: label.value }]],
  ]
  await run(async ({ tenantClient }) => {
    for (const update of updates) await tenantClient.glancePushGroup(update)
  })
  const bodies = apiCalls(world).map(call => JSON.parse(String(call.body)))
  assert.deepEqual(bodies, updates.fill({ glance: [{ key: 'builds', content: { label } }] }))
})

const WRONG: readonly (readonly [field: string, update: unknown])[] = [
  ['', { glance: 'builds' }],
  ['[0].key', [['', { label }]]],
  ['[0].content.label', [['builds', {}]]],
  [
    '[1].content.status.value.type',
    [
      ['a', { label }],
      ['b', { label, status: { type: 'lozenge', value: { label: 'x', type: 'pink' } } }],
    ],
  ],
]
for (const [field, update] of WRONG) {
  test(`${field === '' ? 'the list' : field} is named when it is wrong`, async () => {
    const { world, run } = await ready()
    await assert.rejects(
      run(ctx => ctx.tenantClient.glancePushUser(42, update as GlanceUpdate)),
      { code: 'ERR_CALL_INVALID', details: { field } },
    )
    assert.equal(world.calls.length, 0)
  })
}
