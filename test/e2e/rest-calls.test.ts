// Every call of the REST API, over real sockets: method, path, query, body, scope of the token, accepted statuses, answer.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { isPartywallError, type TenantClient } from 'partywall'
import { codeRows, codeSpans, read } from '../support/documents.ts'
import { ROWS, type Row } from './rest-rows.ts'
import { createRestWorld, type RestWorld } from './rest-support.ts'

type Methods = Readonly<Record<string, (...args: readonly unknown[]) => Promise<unknown>>>

let world: RestWorld
before(async () => {
  world = await createRestWorld()
})
after(() => world?.close())

/** Lets the host answer with `status` and runs the call. */
async function play(row: Row, status: number, call: (client: TenantClient) => Promise<unknown>) {
  const { host } = world
  host.calls.length = 0
  host.reply = () => ({ status, body: status === 204 ? undefined : row.answer })
  const result = await world.run(call)
  assert.equal(host.calls.length, 1)
  const [sent] = host.calls
  assert.ok(sent)
  assert.equal(`${sent.method} ${sent.path}${sent.query === '' ? '' : `?${sent.query}`}`, row.request)
  assert.equal(sent.scope, row.scope)
  if (!row.name.startsWith('shareFile')) {
    assert.equal(sent.contentType, row.body === undefined ? undefined : 'application/json')
    assert.deepEqual(sent.body.length === 0 ? undefined : JSON.parse(sent.body.toString()), row.body)
  }
  assert.deepEqual(result, row.answer ?? null)
}

const methodsOf = (client: object): Methods => client as Methods
const invoke = (client: object, name: string, args: readonly unknown[]) => {
  const method = methodsOf(client)[name]
  assert.ok(method, `${name} is missing`)
  return method(...args)
}

for (const row of ROWS) {
  test(`${row.name}: ${row.request}`, async () => {
    for (const status of row.statuses) await play(row, status, client => invoke(client, row.name, row.args))
  })

  test(`${row.name} takes no other status for success`, async () => {
    const { host } = world
    for (const status of [200, 201, 202, 204, 302, 404, 500].filter(one => !row.statuses.includes(one))) {
      host.reply = () => ({ status, body: status === 204 ? undefined : row.answer })
      const error = await world.run(client => invoke(client, row.name, row.args)).catch(caught => caught)
      assert.ok(isPartywallError(error, 'ERR_HOST_RESPONSE'), `${status}: ${error}`)
      assert.equal(error.details.status, status)
    }
  })
}

test('`forRoom` and `forUser` have every call about a room or a person, bound', async () => {
  const bound = new Set<string>()
  for (const row of ROWS) {
    const [target = '', ...rest] = row.args as readonly [string | number, ...unknown[]]
    const bind = (client: TenantClient) => (/^\w+ \/user\//.test(row.request) ? client.forUser : client.forRoom)(target)
    const isBound = /^\w+ (?:\/addon\/ui)?\/(?:room|user)\//.test(row.request) && row.name !== 'glancePushUser'
    if (!isBound) continue
    await play(row, row.statuses[0] ?? 0, client => invoke(bind(client), row.name, rest))
    bound.add(row.name)
  }
  const names = await world.run(async client => [...Object.keys(client.forRoom()), ...Object.keys(client.forUser(42))])
  assert.deepEqual([...bound].sort(), names.filter(name => name !== 'room' && name !== 'user').sort())
})

test('the table covers every call of the client, and the page of the dialect shows the same', async () => {
  const helpers = ['authTest', 'floodControl', 'forRoom', 'forUser', 'getToken', 'items', 'rateLimit', 'request']
  const names = await world.run(async client => Object.keys(client).filter(name => !helpers.includes(name)))
  assert.deepEqual(ROWS.map(row => row.name).sort(), names.sort())
  const section = read('docs/dialects/hipchat.md').split('## Calls')[1]?.split('\n## ')[0] ?? ''
  const documented = codeRows(section).flatMap(([methods = '', call = '', scope = '']) =>
    codeSpans(methods).map(
      method => `${method.replace(/\(.*/, '')} ${codeSpans(call)[0]?.replace(/\{\w+\}/g, '{}')} ${codeSpans(scope)[0]}`,
    ),
  )
  assert.deepEqual(documented.sort(), ROWS.map(row => `${row.name} ${templateOf(row)} ${scopeOf(row)}`).sort())
})

/** `GET /room/{}` of `GET /room/5?expand=owner`. */
function templateOf({ request }: Row): string {
  return request
    .replace(/\?.*/, '')
    .replace(/(?<=\/(?:room|invite|user|member|history|webhook|emoticon|token)\/)(?!latest)[^/]+/g, '{}')
    .replace(/(?<=\/extension\/)\w+\/[^/]+/, '{}/{}')
}
const scopeOf = (row: Row) => (row.request.includes('/oauth/token') ? 'token' : row.scope)

test('a scope that the descriptor does not declare is refused before anything leaves', async () => {
  const narrow = await createRestWorld(['send_notification'])
  try {
    for (const row of ROWS.filter(one => one.scope !== 'send_notification' && one.scope !== 'abc')) {
      const call = narrow.run(client => invoke(client, row.name, row.args))
      await assert.rejects(call, { code: 'ERR_SCOPE_UNDECLARED', details: { scope: row.scope } }, row.name)
    }
    assert.deepEqual([...narrow.host.calls, ...narrow.host.tokenRequests], [])
  } finally {
    await narrow.close()
  }
})
