// What a user may do is asked at the product, for ids of the signed context alone; every doubt is a refusal.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createPermissions } from '../../../../src/dialects/connect/permissions.ts'
import { type ClientWorld, createClientWorld } from './client-world.ts'

const JIRA = { jira: { issue: { id: '10', key: 'AB-1' }, project: { id: '5', key: 'AB' } } }
const PROJECT = { jira: { project: { id: 5 } } }
const CONTENT = { confluence: { content: { id: '77', type: 'page' }, space: { id: '1' } } }

type Signed = Parameters<typeof createPermissions>[1]
const authorize = (world: ClientWorld, signed: Signed, needed: object) =>
  world.call('ada', client => createPermissions(client.exchange, signed).authorizeJira(needed))
const authorizeContent = (world: ClientWorld, signed: Signed, content = 'update') =>
  world.call('ada', client => createPermissions(client.exchange, signed).authorizeConfluence({ content }))

test('Jira is asked about the issue, else the project, and what is global', async t => {
  const world = await createClientWorld(t, { scopes: ['READ'] })
  await world.install('ada', { baseUrl: world.product.origin })
  const granted = { permission: 'EDIT_ISSUES', issues: [10], projects: [5] }
  world.product.reply = () => ({
    status: 200,
    body: { globalPermissions: ['ADMINISTER'], projectPermissions: [granted] },
  })
  await authorize(world, { userId: 'ada', context: JIRA }, { project: ['EDIT_ISSUES'] })
  await authorize(world, { userId: 'ada', context: PROJECT }, { project: ['EDIT_ISSUES'], global: ['ADMINISTER'] })
  await authorize(world, { userId: 'ada', context: {} }, { global: ['ADMINISTER'] })
  assert.deepEqual(
    world.product.calls.map(call => JSON.parse(call.body)),
    [
      {
        accountId: 'ada',
        globalPermissions: [],
        projectPermissions: [{ permissions: ['EDIT_ISSUES'], issues: [10], projects: [] }],
      },
      {
        accountId: 'ada',
        globalPermissions: ['ADMINISTER'],
        projectPermissions: [{ permissions: ['EDIT_ISSUES'], issues: [], projects: [5] }],
      },
      { accountId: 'ada', globalPermissions: ['ADMINISTER'], projectPermissions: [] },
    ],
  )
})

test('what Jira does not grant for this very issue is refused', async t => {
  const world = await createClientWorld(t)
  await world.install('ada', { baseUrl: world.product.origin })
  const answers = [
    {},
    { globalPermissions: ['OTHER'], projectPermissions: [] },
    {
      globalPermissions: ['ADMINISTER'],
      projectPermissions: [{ permission: 'EDIT_ISSUES', issues: [11], projects: [5] }],
    },
    { globalPermissions: ['ADMINISTER'], projectPermissions: [{ permission: 'BROWSE', issues: [10] }] },
    { globalPermissions: [], projectPermissions: [{ permission: 'EDIT_ISSUES', issues: [10] }] },
  ]
  for (const body of answers) {
    world.product.reply = () => ({ status: 200, body })
    await assert.rejects(
      authorize(world, { userId: 'ada', context: JIRA }, { project: ['EDIT_ISSUES'], global: ['ADMINISTER'] }),
      { code: 'ERR_PERMISSION_MISSING' },
      JSON.stringify(body),
    )
  }
})

test('Confluence is asked about the content of the signed context', async t => {
  const world = await createClientWorld(t, { scopes: ['READ'] })
  await world.install('ada')
  world.product.reply = () => ({ status: 200, body: { hasPermission: true } })
  await authorizeContent(world, { userId: 'ada', context: CONTENT })
  const [call] = world.product.calls
  assert.equal(call?.target, '/wiki/rest/api/content/77/permission/check')
  assert.deepEqual(JSON.parse(call?.body ?? ''), { subject: { type: 'user', identifier: 'ada' }, operation: 'update' })
  world.product.reply = () => ({ status: 200, body: { hasPermission: false } })
  await assert.rejects(authorizeContent(world, { userId: 'ada', context: CONTENT }), { code: 'ERR_PERMISSION_MISSING' })
  world.product.reply = () => ({ status: 200, body: { hasPermission: 'yes' } })
  await assert.rejects(authorizeContent(world, { userId: 'ada', context: CONTENT }), { code: 'ERR_HOST_RESPONSE' })
})

test('nobody, no place, an odd place and a check for nothing are refused without a call', async t => {
  const world = await createClientWorld(t)
  await world.install('ada')
  const needed = { project: ['EDIT_ISSUES'] }
  const contexts: readonly Signed['context'][] = [
    {},
    { jira: {} },
    { jira: { issue: { id: '../5' } } },
    { jira: { issue: { id: 1.5 } } },
    { jira: [] },
    { jira: { issue: { key: 'AB-1' } } },
  ]
  for (const context of contexts) {
    await assert.rejects(authorize(world, { userId: 'ada', context }, needed), { code: 'ERR_PERMISSION_MISSING' })
    await assert.rejects(authorizeContent(world, { userId: 'ada', context }), { code: 'ERR_PERMISSION_MISSING' })
  }
  await assert.rejects(authorize(world, { userId: undefined, context: JIRA }, needed), {
    code: 'ERR_PERMISSION_MISSING',
  })
  await assert.rejects(authorizeContent(world, { userId: undefined, context: CONTENT }), {
    code: 'ERR_PERMISSION_MISSING',
  })
  for (const nothing of [{}, { project: [] }, { project: [''] }, { global: ['a b'] }]) {
    await assert.rejects(authorize(world, { userId: 'ada', context: JIRA }, nothing), { code: 'ERR_CALL_INVALID' })
  }
  assert.equal(world.product.calls.length, 0)
})
