// Every row of the API's table: which scope it needs, that it is there, and that nothing works without a token.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { api, tokenFor } from './fake-addon.ts'
import { ALL_SCOPES, startWorld, type World } from './world.ts'

/** Method, path, scope. `{room}` and `{user}` are filled in. */
const ROWS = `
  GET /emoticon view_group
  GET /emoticon/shrug view_group
  GET /room view_group
  POST /room manage_rooms
  GET /room/{room} view_group
  PUT /room/{room} admin_room
  DELETE /room/{room} manage_rooms
  POST /room/{room}/notification send_notification
  POST /room/{room}/message send_message
  POST /room/{room}/reply send_message
  GET /room/{room}/history view_messages
  GET /room/{room}/history/latest view_messages
  GET /room/{room}/history/some-id view_messages
  GET /room/{room}/statistics view_group
  GET /room/{room}/member view_room
  PUT /room/{room}/member/{user} admin_room
  DELETE /room/{room}/member/{user} admin_room
  GET /room/{room}/participant view_room
  POST /room/{room}/invite/{user} admin_room
  PUT /room/{room}/topic admin_room
  POST /room/{room}/share/link send_message
  PUT /room/{room}/share/link send_message
  POST /room/{room}/share/file send_message
  GET /room/{room}/webhook admin_room
  POST /room/{room}/webhook admin_room
  GET /room/{room}/webhook/1 admin_room
  DELETE /room/{room}/webhook/1 admin_room
  PUT /room/{room}/extension/webhook/a admin_room
  DELETE /room/{room}/extension/webhook/a admin_room
  PUT /room/{room}/extension/glance/a admin_room
  DELETE /room/{room}/extension/glance/a admin_room
  PUT /room/{room}/extension/action/a admin_room
  PUT /room/{room}/extension/dialog/a admin_room
  PUT /room/{room}/extension/webPanel/a admin_room
  PUT /room/{room}/extension/externalPage/a admin_room
  PUT /extension/action/a admin_group
  DELETE /extension/action/a admin_group
  PUT /extension/glance/a admin_group
  PUT /extension/dialog/a admin_group
  PUT /extension/webPanel/a admin_group
  PUT /extension/externalPage/a admin_group
  GET /user view_group
  POST /user admin_group
  GET /user/{user} view_group
  PUT /user/{user} admin_group
  DELETE /user/{user} admin_group
  PUT /user/{user}/photo admin_group
  DELETE /user/{user}/photo admin_group
  POST /user/{user}/message send_message
  GET /user/{user}/history/latest view_messages
  GET /user/{user}/history/some-id view_messages
  POST /user/{user}/share/link send_message
  PUT /user/{user}/share/link send_message
  POST /user/{user}/share/file send_message
  POST /addon/ui view_group
  POST /addon/ui/room/{room} view_room
  POST /addon/ui/user/{user} view_group
`
  .trim()
  .split('\n')
  .map(line => line.trim().split(' ') as [string, string, string])

let world: World
const tokens = new Map<string, { readonly only: string; readonly without: string }>()
before(async () => {
  world = await startWorld()
  for (const scope of ALL_SCOPES) {
    const others = ALL_SCOPES.filter(one => one !== scope).join(' ')
    const only = await tokenFor(world.host, world.installation, scope)
    tokens.set(scope, { only, without: await tokenFor(world.host, world.installation, others) })
  }
})
after(() => world.close())

for (const [method, pattern, scope] of ROWS) {
  test(`${method} ${pattern} needs the scope ${scope} and no other`, async () => {
    const path = pattern.replace('{room}', String(world.room.id)).replace('{user}', String(world.user.id))
    const { only = '', without = '' } = tokens.get(scope) ?? {}
    const check = async (token: string) => {
      const response = await api(world.host, token, method, `${path}?auth_test=true`)
      await response.text()
      return response.status
    }
    assert.deepEqual([await check(only), await check(without), await check('nonsense')], [202, 401, 401])
  })
}

test('checking a call does nothing', () => {
  assert.equal(world.room.isDeleted || world.user.isDeleted, false)
  assert.deepEqual(world.room.history, [])
})

test('the kinds that cannot be registered for a whole group are unknown there', async () => {
  assert.equal(await world.status('PUT', '/extension/webhook/a', {}), 404)
  assert.equal(await world.status('PUT', '/extension/adminPage/a', {}), 404)
})
