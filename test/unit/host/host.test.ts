// The host as a whole: faults, several hosts in one process, addresses, seeds, and nothing left open after closing.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, before, beforeEach, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import {
  FAULTS,
  floodControlled,
  type HipchatHost,
  type HostGroup,
  type Installation,
  oddExpiresIn,
  rateLimited,
  slow,
  startHipchatHost,
} from '../../../src/host/index.ts'
import { api, type FakeAddon, requestToken, startFakeAddon, tokenFor } from './fake-addon.ts'

let host: HipchatHost
let addon: FakeAddon
let group: HostGroup
let installation: Installation

before(async () => {
  addon = await startFakeAddon()
  host = await startHipchatHost()
  group = host.createGroup({ name: 'Acme' })
  installation = await host.install(addon.descriptor, { group })
})
beforeEach(() => host.faults.clear())
after(async () => {
  await addon.close()
  await host.close()
})

const capabilities = () => fetch(host.capabilitiesUrl, { redirect: 'manual' })
const links = async () => ((await (await capabilities()).json()) as { links: Record<string, string> }).links

test('the capabilities document names itself and the addresses on its own origin', async () => {
  assert.deepEqual(await links(), { self: host.capabilitiesUrl, api: `${host.url}/v2`, homepage: host.url })
})

test('faults of the capabilities document', async () => {
  host.faults.inject({ ...FAULTS.capabilitiesRedirect, times: 1 })
  assert.equal((await capabilities()).status, 302)
  host.faults.inject({ ...FAULTS.capabilitiesWrongSelf, times: 1 })
  assert.notEqual((await links()).self, host.capabilitiesUrl)
  host.faults.inject({ ...FAULTS.capabilitiesOversize, times: 1 })
  assert.ok((await (await capabilities()).text()).length > 2_000_000)
  assert.equal((await links()).self, host.capabilitiesUrl)
})

test('faults of the token endpoint', async () => {
  const ask = () => requestToken(host, installation)
  for (const [fault, status] of [
    [FAULTS.tokenDown, 503],
    [FAULTS.tokenRefused, 401],
  ] as const) {
    const stop = host.faults.inject(fault)
    assert.deepEqual([(await ask()).status, (await ask()).status], [status, status])
    stop()
  }
  host.faults.inject({ ...FAULTS.tokenReset, times: 1 })
  await assert.rejects(ask())
  for (const value of [undefined, 0, -1, '8 hours', 1e300]) {
    host.faults.inject({ ...oddExpiresIn(value), times: 1 })
    assert.equal(((await (await ask()).json()) as Record<string, unknown>).expires_in, value)
  }
  assert.equal((await ask()).status, 200)
})

test('faults of the API hit as many calls as asked for, and only the installation named', async () => {
  const other = await host.install(addon.descriptor, { group })
  const [mine, theirs] = [await tokenFor(host, installation), await tokenFor(host, other)]
  const probe = (token: string) => api(host, token, 'GET', '/probe')
  host.faults.inject({ ...FAULTS.restUnauthorized, oauthId: installation.oauthId, times: 1 })
  assert.equal((await probe(theirs)).status, 200)
  assert.equal((await probe(mine)).status, 401)
  assert.equal((await probe(mine)).status, 200)
  host.faults.inject({ ...rateLimited(1_800_000_000), times: 1 })
  const limited = await probe(mine)
  assert.equal(limited.status, 429)
  assert.equal(limited.headers.get('x-ratelimit-reset'), '1800000000')
  host.faults.inject({ ...FAULTS.restReset, times: 1 })
  await assert.rejects(probe(mine))
  host.faults.inject({ ...slow('rest', 100), times: 1 })
  const started = performance.now()
  assert.equal((await probe(mine)).status, 200)
  assert.ok(performance.now() - started >= 95)
  host.faults.inject({ at: 'rest', effect: { kind: 'hang' }, times: 1 })
  await assert.rejects(fetch(`${host.url}/v2/probe?auth_token=${mine}`, { signal: AbortSignal.timeout(100) }))
})

test('answers that are no JSON, and limits that were not reached', async () => {
  const token = await tokenFor(host, installation)
  const probe = () => api(host, token, 'GET', '/probe')
  host.faults.inject({ ...FAULTS.restGarbled, times: 1 })
  const page = await probe()
  assert.deepEqual(
    [page.status, page.headers.get('content-type'), await page.text()],
    [200, 'text/html', '<h1>Sorry</h1>'],
  )
  host.faults.inject({ ...FAULTS.tokenGarbled, times: 1 })
  await assert.rejects((await requestToken(host, installation)).json(), SyntaxError)
  host.faults.inject({ ...floodControlled(1_800_000_000), times: 1 })
  const limited = await probe()
  assert.deepEqual([limited.status, limited.headers.get('x-floodcontrol-reset')], [429, '1800000000'])
  host.faults.inject({ ...FAULTS.restDown, times: 1 })
  assert.deepEqual([(await probe()).status, (await probe()).status], [503, 200])
})

test('two hosts in one process share nothing, even with equal numbers', async () => {
  const [one, two] = [await startHipchatHost({ firstId: 1 }), await startHipchatHost({ firstId: 1 })]
  try {
    const [groupOne, groupTwo] = [one.createGroup({ name: 'Acme' }), two.createGroup({ name: 'Acme' })]
    assert.equal(groupOne.id, groupTwo.id)
    const [first, second] = [
      await one.install(addon.descriptor, { group: groupOne }),
      await two.install(addon.descriptor, { group: groupTwo }),
    ]
    assert.notEqual(first.oauthId, second.oauthId)
    assert.equal((await requestToken(two, first)).status, 401)
    assert.equal((await api(two, await tokenFor(one, first), 'GET', '/probe')).status, 401)
    await one.close()
    assert.equal((await requestToken(two, second)).status, 200)
  } finally {
    await one.close()
    await two.close()
  }
})

test('the same seed gives the same run, another seed another', async () => {
  const run = async (seed: string) => {
    const seeded = await startHipchatHost({ seed })
    const installed = await seeded.install(addon.descriptor, { group: seeded.createGroup({ name: 'Acme' }) })
    const token = await tokenFor(seeded, installed)
    await seeded.close()
    return [installed.group.id, installed.oauthId, installed.oauthSecret, token]
  }
  assert.deepEqual(await run('a'), await run('a'))
  assert.notDeepEqual(await run('a'), await run('b'))
})

test('A 17: refuses to listen where others could reach it', async () => {
  for (const hostname of ['0.0.0.0', '::', '192.0.2.1', 'host.example.com', '', '127.0.0.1.example.com']) {
    await assert.rejects(startHipchatHost({ hostname }), TypeError, hostname)
  }
})

test('a port in use is an error at start', async () => {
  await assert.rejects(startHipchatHost({ port: Number(new URL(host.url).port) }), { code: 'EADDRINUSE' })
})

test('closing ends waiting retries, slow and silent calls, and lets the process go', async () => {
  const program = fileURLToPath(new URL('./open-handles.ts', import.meta.url))
  const child = spawn(process.execPath, ['--conditions=partywall-source', '--import', 'tsx', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 30_000,
  })
  let output = ''
  child.stdout.on('data', chunk => {
    output += String(chunk)
  })
  const [code] = (await once(child, 'close')) as [number | null]
  assert.equal(code, 0)
  assert.match(output, /^closed$/m)
})
