/** Attacks on installation: takeovers, other hosts, secrets that the host does not honour, lying groups, races. */

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { sign } from './forge.ts'
import {
  as,
  endScene,
  expectRefused,
  expectStatus,
  expectWorks,
  getValue,
  install,
  installBody,
  isOk,
  isRefusal,
  newSecret,
  postInstall,
  putValue,
  setScene,
  withToken,
} from './support.ts'

const scene = setScene()

test('A 14: a good installation is answered 2xx and works at once', async () => {
  const tenant = await install(scene)
  await expectWorks(scene, tenant)
  assert.equal(tenant.client.tokenRequests >= 1, true)
})

test('A 14: credentials that the host does not honour give 403 and store nothing', async () => {
  const body = installBody(scene, { oauthId: 'never-known' })
  expectStatus(await postInstall(scene, body), [403])
  expectStatus(await withToken(scene, await sign('never-known', String(body.oauthSecret))), [401])
})

test('A 14: an installation that failed may be repeated with the true secret', async () => {
  expectStatus(await postInstall(scene, installBody(scene, { oauthId: 'second-try' })), [403])
  await expectWorks(scene, await install(scene, { id: 'second-try' }))
})

test('A 15: the same id from another trusted host is refused with 409 and changes nothing', async () => {
  const tenant = await install(scene)
  await putValue(scene, tenant, 'note', 'mine')
  const stolen = newSecret()
  scene.other.client(tenant.id, stolen)
  const body = { oauthId: tenant.id, oauthSecret: stolen, capabilitiesUrl: scene.other.capabilitiesUrl }
  expectStatus(await postInstall(scene, installBody(scene, body)), [409])
  expectStatus(await withToken(scene, await sign(tenant.id, stolen)), [401])
  assert.equal((await getValue(scene, tenant, 'note')).json?.value, 'mine')
})

test('A 15: another trusted host is refused even with the secret that is stored', async () => {
  const tenant = await install(scene)
  scene.other.client(tenant.id, tenant.secret)
  const body = { oauthId: tenant.id, oauthSecret: tenant.secret, capabilitiesUrl: scene.other.capabilitiesUrl }
  expectStatus(await postInstall(scene, installBody(scene, body)), [409])
  assert.equal((await as(scene, tenant, '/hipchat/outbound')).json?.host, scene.host.authority)
})

test('A 15: an untrusted host cannot take a tenant over, and is not asked', async () => {
  const tenant = await install(scene)
  const stolen = newSecret()
  scene.trap.client(tenant.id, stolen)
  const body = { oauthId: tenant.id, oauthSecret: stolen, capabilitiesUrl: scene.trap.capabilitiesUrl }
  assert.equal(isRefusal(await postInstall(scene, installBody(scene, body))), true)
  expectStatus(await withToken(scene, await sign(tenant.id, stolen)), [401])
  await expectWorks(scene, tenant)
})

test('A 15: a changed secret that the bound host does not honour is refused with 409', async () => {
  const tenant = await install(scene)
  const body = installBody(scene, { oauthId: tenant.id })
  expectStatus(await postInstall(scene, body), [409])
  expectStatus(await withToken(scene, await sign(tenant.id, String(body.oauthSecret))), [401])
  await expectWorks(scene, tenant)
})

test('A 10: a changed secret that the bound host honours works, the old one does not, the data stay', async () => {
  const tenant = await install(scene)
  await putValue(scene, tenant, 'note', 'kept')
  const old = { ...tenant }
  tenant.client.secrets.clear()
  const again = await install(scene, { id: tenant.id })
  await expectRefused(scene, old, 'the old secret')
  await expectWorks(scene, again, 'the new secret')
  assert.equal((await getValue(scene, again, 'note')).json?.value, 'kept')
})

test('A 10: after a re-install outbound calls use a token of the new secret', async () => {
  const tenant = await install(scene)
  await as(scene, tenant, '/hipchat/outbound')
  const before = tenant.client.issued.length
  tenant.client.secrets.clear()
  const again = await install(scene, { id: tenant.id })
  expectStatus(await as(scene, again, '/hipchat/outbound'), [200])
  const last = again.client.presented.at(-1) ?? ''
  assert.equal(again.client.issued.indexOf(last) >= before, true)
})

test('A 10: the same installation twice is 2xx twice and still one tenant', async () => {
  const tenant = await install(scene)
  await putValue(scene, tenant, 'note', 'kept')
  const again = await install(scene, { id: tenant.id, secret: tenant.secret })
  await expectWorks(scene, again)
  assert.equal((await getValue(scene, again, 'note')).json?.value, 'kept')
})

test('A 10: ten re-installs at once end with exactly one working secret', async () => {
  const tenant = await install(scene)
  const secrets = Array.from({ length: 10 }, () => newSecret())
  for (const secret of secrets) tenant.client.secrets.add(secret)
  const answers = await Promise.all(
    secrets.map(oauthSecret => postInstall(scene, installBody(scene, { oauthId: tenant.id, oauthSecret }))),
  )
  for (const answer of answers) assert.equal(isOk(answer) || [409, 429, 503].includes(answer.status), true, answer.text)
  assert.equal(answers.some(isOk), true)
  const working = await countWorking(tenant.id, [tenant.secret, ...secrets])
  assert.equal(working, 1)
})

test('A 15: two trusted hosts that claim one new id at once: one wins, and only its secret works', async () => {
  const ours = newSecret()
  const theirs = newSecret()
  scene.host.client('contested', ours)
  scene.other.client('contested', theirs)
  const claim = (oauthSecret: string, capabilitiesUrl: string) =>
    postInstall(scene, installBody(scene, { oauthId: 'contested', oauthSecret, capabilitiesUrl }))
  const answers = await Promise.all([
    ...Array.from({ length: 4 }, () => claim(ours, scene.host.capabilitiesUrl)),
    ...Array.from({ length: 4 }, () => claim(theirs, scene.other.capabilitiesUrl)),
  ])
  assert.equal(answers.some(isOk), true)
  const winners = [answers.slice(0, 4).some(isOk), answers.slice(4).some(isOk)]
  assert.equal(winners.filter(Boolean).length, 1, 'both hosts were told that they own the id')
  assert.equal(await countWorking('contested', [ours, theirs]), 1)
})

test('A 14: a group that the token answer contradicts is refused with 403, and stores nothing', async () => {
  const secret = newSecret()
  scene.host.client('other-group', secret).tokenFields = { group_id: 99 }
  const body = installBody(scene, { oauthId: 'other-group', oauthSecret: secret, groupId: 1 })
  expectStatus(await postInstall(scene, body), [403])
  expectStatus(await withToken(scene, await sign('other-group', secret)), [401])
})

test('A 14: a re-install cannot move a tenant into another group', async () => {
  const tenant = await install(scene)
  const body = installBody(scene, { oauthId: tenant.id, oauthSecret: tenant.secret, groupId: 2 })
  expectStatus(await postInstall(scene, body), [403, 409])
  await expectWorks(scene, tenant)
})

test('A 14: a token answer without a group is no contradiction', async () => {
  const secret = newSecret()
  scene.host.client('no-group', secret).tokenFields = { group_id: undefined }
  assert.equal(isOk(await postInstall(scene, installBody(scene, { oauthId: 'no-group', oauthSecret: secret }))), true)
})

describe('A 14: bodies that are no installation', () => {
  const wrong: Record<string, Readonly<Record<string, unknown>> | string | null> = {
    'no id': { oauthId: undefined },
    'id null': { oauthId: null },
    'id a number': { oauthId: 12 },
    'id a list': { oauthId: ['a'] },
    'id empty': { oauthId: '' },
    'id 100 kB': { oauthId: 'x'.repeat(100_000) },
    'no secret': { oauthSecret: undefined },
    'secret null': { oauthSecret: null },
    'secret empty': { oauthSecret: '' },
    'secret a number': { oauthSecret: 1234567890 },
    'secret an object': { oauthSecret: { toString: 'x' } },
    'secret 100 kB': { oauthSecret: 's'.repeat(100_000) },
    'no group': { groupId: undefined },
    'group a text': { groupId: '1' },
    'group an object': { groupId: { $gt: 0 } },
    'group negative infinity by overflow':
      '{"oauthId":"a","oauthSecret":"b","capabilitiesUrl":"CAPS","groupId":-1e999}',
    'room a text': { roomId: '7' },
    'room a list': { roomId: [7] },
    'no capabilities address': { capabilitiesUrl: undefined },
    'a list': '[]',
    'a text': '"install"',
    null: 'null',
    nothing: '',
  }
  for (const [name, changes] of Object.entries(wrong)) {
    test(`A 14: ${name} is refused with 400`, async () => {
      const headers = { 'content-type': 'application/json' }
      const body = typeof changes === 'string' ? changes.replace('CAPS', scene.host.capabilitiesUrl) : undefined
      const answer = await scene.http.send('/hipchat/installable', {
        method: 'POST',
        headers,
        body: body ?? installBody(scene, changes as Readonly<Record<string, unknown>>),
      })
      expectStatus(answer, [400, 413])
    })
  }
})

describe('A 14: token endpoints that fail', { concurrency: true }, () => {
  const cases = {
    'answers 500': { reply: { status: 500 }, expected: [503] },
    'answers 429': { reply: { status: 429 }, expected: [503] },
    'cuts the connection': { reply: { mode: 'cut' }, expected: [503] },
    'never answers': { reply: { mode: 'hang' }, expected: [503] },
    'never stops dripping': { reply: { mode: 'drip' }, expected: [400, 403, 503] },
    'sends a flood': { reply: { mode: 'flood' }, expected: [400, 403, 503] },
    'answers no JSON': { reply: { body: '<html>' }, expected: [400, 403, 503] },
    'answers an empty object': { reply: { body: {} }, expected: [400, 403, 503] },
    'answers a token that is a number': {
      reply: { body: { access_token: 5, expires_in: 60 } },
      expected: [400, 403, 503],
    },
    'answers an empty token': { reply: { body: { access_token: '', expires_in: 60 } }, expected: [400, 403, 503] },
    'answers a token with a line break': {
      reply: { body: { access_token: 'a\r\nx: y', expires_in: 60 } },
      expected: [400, 403, 503],
    },
    'answers 204': { reply: { status: 204 }, expected: [400, 403, 503] },
  } as const
  for (const [name, { reply, expected }] of Object.entries(cases)) {
    test(`A 14, C 33: a token endpoint that ${name} installs nothing, in bounded time`, async () => {
      const secret = newSecret()
      const id = `failing ${name}`
      scene.host.client(id, secret).tokenReply = reply
      const answer = await postInstall(scene, installBody(scene, { oauthId: id, oauthSecret: secret }))
      expectStatus(answer, expected)
      assert.equal(answer.ms < 15_000, true, `${answer.ms} ms`)
      expectStatus(await withToken(scene, await sign(id, secret)), [401])
    })
  }
})

test('A 14: a trusted host that is down gives 503, changes nothing, and all is well when it is back', async () => {
  const tenant = await install(scene, { host: scene.other })
  await scene.other.stop()
  try {
    const body = { oauthId: tenant.id, oauthSecret: tenant.secret, capabilitiesUrl: scene.other.capabilitiesUrl }
    expectStatus(await postInstall(scene, installBody(scene, body)), [503])
    await expectWorks(scene, tenant)
  } finally {
    await scene.other.start()
  }
  await expectWorks(scene, await install(scene, { id: tenant.id, secret: tenant.secret, host: scene.other }))
})

async function countWorking(id: string, secrets: readonly string[]): Promise<number> {
  const answers = await Promise.all(secrets.map(async secret => withToken(scene, await sign(id, secret))))
  for (const answer of answers) expectStatus(answer, [200, 401])
  return answers.filter(answer => answer.status === 200).length
}

endScene(scene)
