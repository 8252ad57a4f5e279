// Bitbucket: the older subject claim, and the swap of a signed word for a bearer token.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { queryStringHash } from '../../../../src/wire/qsh.ts'
import { claimsOf, createClientWorld } from './client-world.ts'

test('a signed call to Bitbucket names the tenant as its subject', async t => {
  const world = await createClientWorld(t, { family: 'bitbucket', scopes: [] })
  await world.install('ada', { baseUrl: world.product.origin, productType: 'bitbucket' })
  await world.call('ada', client => client.get('/2.0/repositories'))
  const claims = claimsOf(world.product.calls[0], 'secret-of-ada')
  assert.deepEqual([claims.iss, claims.sub], ['com.example.notes', 'ada'])
})

test('C 38: one token swap serves all calls, with the scopes and repository asked for', async t => {
  const world = await createClientWorld(t, { family: 'bitbucket', scopes: [] })
  await world.install('ada', { baseUrl: world.product.origin, productType: 'bitbucket' })
  world.server.reply = () => ({
    status: 200,
    body: { access_token: `t${world.server.calls.length}`, expires_in: 3600 },
  })
  const options = { scopes: ['repository:write', 'account'], repository: 'ada/notes' }
  await world.call('ada', async client => {
    const calls = client.withBitbucketToken(options)
    await Promise.all([calls.get('/2.0/a'), calls.get('/2.0/b'), calls.get('/2.0/c')])
    await client.withBitbucketToken().get('/2.0/d')
  })
  const [swap] = world.server.calls
  const { iss, sub, qsh } = claimsOf(swap, 'secret-of-ada')
  const target = '/site/oauth2/access_token'
  assert.deepEqual(
    [iss, sub, qsh, swap?.target],
    ['com.example.notes', 'ada', queryStringHash({ method: 'POST', target, basePath: '' }), target],
  )
  assert.deepEqual(Object.fromEntries(new URLSearchParams(swap?.body)), {
    grant_type: 'urn:bitbucket:oauth2:jwt',
    scope: 'account repository:write',
    bitbucket_repository: 'ada/notes',
  })
  assert.deepEqual(
    world.product.calls.map(call => call.headers.authorization),
    ['Bearer t1', 'Bearer t1', 'Bearer t1', 'Bearer t2'],
  )
})

test('the swap is Bitbucket’s alone, and takes no odd scope or repository', async t => {
  const world = await createClientWorld(t)
  await world.install('ada')
  await assert.rejects(
    world.call('ada', async client => client.withBitbucketToken()),
    { code: 'ERR_CALL_INVALID' },
  )
  const bitbucket = await createClientWorld(t, { family: 'bitbucket', scopes: [] })
  await bitbucket.install('ada')
  for (const options of [{ scopes: ['A'] }, { scopes: ['a b'] }, { repository: 'x' }, { repository: 'a/../b' }]) {
    await assert.rejects(
      bitbucket.call('ada', async client => client.withBitbucketToken(options)),
      { code: 'ERR_CALL_INVALID' },
    )
  }
})
