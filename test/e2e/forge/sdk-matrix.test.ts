// One unmodified app for each generation of the SDK, in two installations.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, test } from 'node:test'
import type { ForgeInstallation, JsonObject, JsonValue } from 'partywall'
import { appOf } from '../../fixtures/forge/generations.ts'
import {
  forgePackages,
  GENERATION_NAMES,
  GENERATIONS,
  type Generation,
  writeForgeApp,
} from '../../support/forge-packages.ts'
import { createForgeWorld } from '../../support/forge-world.ts'

const outside = createServer((_, response) => response.end('the world'))
await new Promise<void>(resolve => outside.listen(0, '127.0.0.1', resolve))
after(() => outside.close())
const { port } = outside.address() as AddressInfo
const outsideUrl = `http://127.0.0.1:${port}/`

// All before the first test: what waits between tests lets the file end in between.
const installed = new Map<Generation, Awaited<ReturnType<typeof forgePackages>>>()
for (const generation of GENERATION_NAMES) installed.set(generation, await forgePackages(generation))

for (const [generation, { folder: packages, skip }] of installed) {
  const versions = Object.entries(GENERATIONS[generation]).map(([name, version]) => `${name} ${version}`)
  test(
    `an unmodified app on ${versions.join(', ')} runs in two installations that see nothing of each other`,
    skip,
    async t => {
      const { 'manifest.yml': manifest, ...files } = appOf(generation)
      const folder = await writeForgeApp(packages, {
        ...files,
        'manifest.yml': manifest.replace('PORT', String(port)),
      })
      const { forge, site } = await createForgeWorld(t, { hosts: [new URL(outsideUrl).host] })
      const app = await forge({ folder })
      assert.equal(app.boundary, 'bubblewrap')
      const one = await customer('one')
      const other = await customer('other')
      await check(one, generation)
      await check(other, generation)
      await app.idle()
      assert.deepEqual(await one.invoke('storage'), await one.invoke('storage'))

      async function customer(name: string): Promise<Customer> {
        const place = site(name)
        const user = place.createUser({ displayName: `Ada of ${name}` })
        const issue = place.createIssue(place.createProject({ key: 'CAR' }), { summary: `brakes of ${name}` })
        const installation = await app.install({ url: place.url })
        const invoke = (key: string, payload: JsonObject = {}) =>
          installation.invoke(key, { text: name, issue: issue.key, ...payload }, { accountId: user.accountId })
        return { name, installation, invoke, seen: () => issue.properties.get('seen'), accountId: user.accountId }
      }
    },
  )
}

interface Customer {
  readonly name: string
  readonly installation: ForgeInstallation
  readonly accountId: string
  readonly invoke: (key: string, payload?: JsonObject) => Promise<JsonValue | undefined>
  readonly seen: () => unknown
}

async function check({ name, installation, accountId, invoke, seen }: Customer, generation: Generation): Promise<void> {
  assert.deepEqual(await invoke('storage'), {
    note: { text: name },
    secret: `secret of ${name}`,
    missing: null,
    gone: null,
    keys: ['note', 'note-2'],
  })
  assert.deepEqual(await invoke('product'), { summary: `brakes of ${name}`, name: `Ada of ${name}`, put: 201 })
  assert.deepEqual(seen(), { by: accountId })
  const jobId = await invoke('push')
  assert.equal(typeof jobId, 'string')
  await installation.idle()
  assert.deepEqual(
    await invoke('stats', { jobId: jobId as string }),
    { success: 1, inProgress: 0, failed: 0 },
    generation,
  )
  const url = await invoke('trigger')
  assert.equal(url, await installation.webTriggerUrl('hook'))
  const answer = await fetch(String(url), { method: 'POST', body: 'a note' })
  assert.deepEqual([answer.status, await answer.text()], [200, 'got a note'])
  assert.deepEqual(await invoke('egress', { url: outsideUrl }), { status: 200, text: 'the world' })
  // The older ones fetch with node-fetch, which makes one kind of error of all.
  const refusal = ['2.22', '3.9', '4.1'].includes(generation)
    ? { name: 'FetchError' }
    : { name: 'REQUEST_EGRESS_ALLOWLIST_ERR', status: 403 }
  assert.deepEqual(await invoke('egress', { url: 'https://elsewhere.example.com/' }), refusal)
}
