// Tokens of users: the authorization page, codes, refresh tokens, what they may do, and when they end.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { api } from './fake-addon.ts'
import { type Json, startWorld, type World } from './world.ts'

const REDIRECT = 'https://addon.example.com/back?from=hipchat'
let now = Date.parse('2026-11-22T10:00:00Z')
let world: World
before(async () => {
  world = await startWorld({ oauth2Consumer: { redirectionUrls: [REDIRECT] } }, { clock: { now: () => now } })
})
after(() => world.close())

const ask = (fields: Record<string, string>, credentials: Pick<Json, 'oauthId' | 'oauthSecret'> = { ...secretsOf() }) =>
  fetch(`${world.host.url}/v2/oauth/token`, {
    method: 'POST',
    headers: {
      authorization: `Basic ${Buffer.from(`${credentials.oauthId}:${credentials.oauthSecret}`).toString('base64')}`,
    },
    body: new URLSearchParams(fields),
  })
const secretsOf = (of = world.installation) => ({ oauthId: of.oauthId, oauthSecret: of.oauthSecret })
const failureOf = async (response: Response) => {
  const { error } = (await response.json()) as { error: Json }
  return [response.status, error.type]
}
const codeOf = (location: string) => new URL(location).searchParams.get('code') ?? ''
const newCode = (scopes?: string[]) =>
  codeOf(world.installation.authorize({ user: world.user, redirectUri: REDIRECT, ...(scopes && { scopes }) }))
const use = (code: string, redirect = REDIRECT) =>
  ask({ grant_type: 'authorization_code', code, redirect_uri: redirect })
const tokensFor = async (scopes?: string[]) => (await (await use(newCode(scopes))).json()) as Record<string, string>

test('a user’s code gives a token in their name: messages come from them, and the session says so', async () => {
  const location = world.installation.authorize({ user: world.user, redirectUri: REDIRECT, state: 'mine' })
  const url = new URL(location)
  assert.deepEqual(
    [url.origin, url.searchParams.get('from'), url.searchParams.get('state')],
    ['https://addon.example.com', 'hipchat', 'mine'],
  )
  const response = await use(codeOf(location))
  assert.equal(response.headers.get('cache-control'), 'no-store')
  const { access_token: token = '', ...rest } = (await response.json()) as Record<string, string>
  assert.equal(rest.group_id, world.group.id)
  assert.equal((await api(world.host, token, 'POST', `/room/${world.room.id}/message`, { message: 'me' })).status, 201)
  const { from } = world.room.history.at(-1) ?? {}
  assert.equal((from as { mention_name?: string }).mention_name, 'ann')
  const session = (await (await api(world.host, token, 'GET', `/oauth/token/${token}`)).json()) as Json
  assert.deepEqual([session.owner_type, (session.owner as Json).id], ['user', world.user.id])
})

test('a code is good once, for ten minutes, for its own address and client', async () => {
  const code = newCode()
  assert.equal((await use(code)).status, 200)
  assert.deepEqual(await failureOf(await use(code)), [400, 'invalid_grant'])
  assert.deepEqual(await failureOf(await use(newCode(), 'https://addon.example.com/')), [400, 'invalid_grant'])
  const old = newCode()
  now += 600_000
  assert.deepEqual(await failureOf(await use(old)), [400, 'invalid_grant'])
  const other = await world.host.install(world.addon.descriptor, { group: world.group })
  const stolen = { grant_type: 'authorization_code', code: newCode(), redirect_uri: REDIRECT }
  assert.deepEqual(await failureOf(await ask(stolen, secretsOf(other))), [400, 'invalid_grant'])
  await other.uninstall({ tellAddon: false })
})

test('a refresh token gives new access tokens, of fewer scopes if asked, never of more', async () => {
  const first = await tokensFor(['view_room', 'send_message'])
  assert.equal(first.scope, 'view_room send_message')
  const refresh = (scope?: string) =>
    ask({ grant_type: 'refresh_token', refresh_token: first.refresh_token ?? '', ...(scope && { scope }) })
  now += 28_800_000
  const token = first.access_token ?? ''
  assert.equal((await api(world.host, token, 'GET', '/probe')).status, 401)
  const second = (await (await refresh()).json()) as Record<string, string>
  assert.equal((await api(world.host, second.access_token ?? '', 'GET', '/probe')).status, 200)
  assert.equal(((await (await refresh('view_room')).json()) as Json).scope, 'view_room')
  assert.deepEqual(await failureOf(await refresh('view_room view_group')), [400, 'invalid_scope'])
  assert.deepEqual(await failureOf(await ask({ grant_type: 'refresh_token', refresh_token: 'x' })), [
    400,
    'invalid_grant',
  ])
})

for (const grantType of ['password', 'personal', 'room_notification', 'implicit']) {
  test(`the grant ${grantType} is refused by name`, async () => {
    const fields = { grant_type: grantType, username: 'ann', password: 'x', user_id: '1' }
    assert.deepEqual(await failureOf(await ask(fields)), [400, 'unsupported_grant_type'])
  })
}

test('the authorization page sends the signed-in user’s browser back, and to no other address', async () => {
  const page = (change: Record<string, string> = {}) => {
    const query = { response_type: 'code', client_id: world.installation.oauthId, redirect_uri: REDIRECT, state: 's' }
    const url = `${world.host.url}/users/authorize?${new URLSearchParams({ ...query, ...change })}`
    return fetch(url, { redirect: 'manual' })
  }
  world.host.signIn(undefined)
  assert.equal((await page()).status, 401)
  world.host.signIn(world.user)
  const response = await page({ scope: 'view_room' })
  assert.equal(response.status, 302)
  const location = response.headers.get('location') ?? ''
  assert.equal(((await (await use(codeOf(location))).json()) as Json).scope, 'view_room')
  const wrong: Record<string, string>[] = [
    { redirect_uri: 'https://evil.example.com/' },
    { client_id: 'x' },
    { response_type: 'token' },
    { scope: 'view_room everything' },
  ]
  for (const change of wrong) {
    const refused = await page(change)
    assert.deepEqual([refused.status, refused.headers.get('location')], [400, null], JSON.stringify(change))
  }
  world.host.signIn(world.host.createGroup({ name: 'Other' }).owner)
  assert.equal((await page()).status, 403)
})

test('what the descriptor does not name cannot be authorized', () => {
  const options = { user: world.user, redirectUri: REDIRECT }
  const attempt = (change: object) => () => world.installation.authorize({ ...options, ...change })
  assert.throws(attempt({ redirectUri: `${REDIRECT}&more` }), TypeError)
  assert.throws(attempt({ scopes: ['everything'] }), TypeError)
  assert.throws(attempt({ user: world.host.createGroup({ name: 'Other' }).owner }), TypeError)
})

test('tokens of a user who was deleted are gone, and all tokens with the installation', async () => {
  const leaver = world.group.createUser({ name: 'Leaver', mentionName: 'leaver' })
  const code = codeOf(world.installation.authorize({ user: leaver, redirectUri: REDIRECT }))
  const left = (await (await use(code)).json()) as Record<string, string>
  const mine = await tokensFor()
  const status = async (token: string | undefined) => (await api(world.host, token ?? '', 'GET', '/probe')).status
  const refresh = async (tokens: Record<string, string>) =>
    (await ask({ grant_type: 'refresh_token', refresh_token: tokens.refresh_token ?? '' })).status
  assert.deepEqual([await status(left.access_token), await status(mine.access_token)], [200, 200])
  const { access_token: admin = '' } = (await (await ask({ grant_type: 'client_credentials' })).json()) as Record<
    string,
    string
  >
  assert.equal((await api(world.host, admin, 'DELETE', `/user/${leaver.id}`)).status, 204)
  assert.deepEqual([await status(left.access_token), await refresh(left), await refresh(mine)], [401, 400, 200])
  await world.installation.uninstall()
  assert.deepEqual([await status(mine.access_token), await refresh(mine)], [401, 401])
  await world.installation.update()
  assert.deepEqual([world.installation.state, await refresh(mine)], ['installed', 400])
})
