/** Installs, removals, and what an installation's id may do to its neighbours: defects 1 to 4, 6, 24. */

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { sign } from '../../e2e/attack/forge.ts'
import { freePort } from '../../support/free-port.ts'
import type { DefectCase } from '../case.ts'
import { call, install, installable, postInstall, type Target, type Tenant, whoami, withToken } from '../target.ts'

const EVIL_SECRET = 'a secret that the attacker has chosen, long enough'

const malformed = (what: string, fields: Readonly<Record<string, unknown>>): DefectCase => ({
  defect: 24,
  name: `${what} is the sender’s fault`,
  async run(target) {
    const id = randomUUID()
    target.rogue.client(id, EVIL_SECRET)
    const body = { ...installable(target.rogue, id, EVIL_SECRET), ...fields }
    const { status } = await postInstall(await target.addon(), body)
    assert.ok(status >= 400 && status < 500, `answers ${status}`)
  },
})

export const INSTALL_CASES: readonly DefectCase[] = [
  {
    defect: 1,
    name: 'a re-install from another host does not take an installation over',
    async run(target) {
      const victim = await install(target)
      const { oauthId } = victim.installation
      target.rogue.client(oauthId, EVIL_SECRET)
      await postInstall(victim.addon, installable(target.rogue, oauthId, EVIL_SECRET))
      const stolen = await withToken(victim.addon, '/whoami', await sign(oauthId, EVIL_SECRET))
      assert.notEqual(stolen.status, 200, `a token of the attacker reads as the victim: ${stolen.status}`)
      const own = await whoami(victim)
      assert.equal(own.status, 200, `the true installation is shut out: ${own.status}`)
    },
  },
  {
    defect: 2,
    name: 'an id made of a neighbour’s key replaces nothing of the neighbour',
    async run(target) {
      const victim = await withGreeting(target)
      await installRogue(target, `${victim.installation.oauthId}:data:greeting`)
      await assertGreeting(victim)
    },
  },
  {
    defect: 3,
    name: 'an id that is a pattern reaches nobody else when it is uninstalled',
    async run(target) {
      const victim = await withGreeting(target)
      await installRogue(target, '.*')
      target.rogue.client('.*').secrets.clear()
      await victim.addon.send(`/addon/installable/${encodeURIComponent('.*')}`, { method: 'DELETE' })
      await assertGreeting(victim)
    },
  },
  {
    defect: 4,
    name: 'an uninstall that the host knows nothing of is refused',
    async run(target) {
      const victim = await install(target)
      const forged = `/addon/installable/${victim.installation.oauthId}`
      const { status } = await victim.addon.send(forged, { method: 'DELETE' })
      const own = await whoami(victim)
      assert.equal(own.status, 200, `anybody's DELETE answers ${status}, then the installation is gone: ${own.status}`)
    },
  },
  {
    defect: 6,
    name: 'a capabilities address that cannot be reached is not told of in the answer',
    async run(target) {
      const addon = await target.addon()
      const capabilitiesUrl = `http://127.0.0.1:${await freePort()}/v2/capabilities`
      const { text } = await postInstall(addon, { ...installable(target.rogue, randomUUID(), 'x'), capabilitiesUrl })
      assert.doesNotMatch(text, /ECONN|127\.0\.0\.1/, `the answer is a port scanner: ${text}`)
    },
  },
  {
    defect: 6,
    name: 'a host that is not on the list is not connected to',
    async run(target) {
      await assertUntouched(target, () => target.trap.capabilitiesUrl)
    },
  },
  {
    defect: 6,
    name: 'a redirect to another host is not followed',
    async run(target) {
      const location = target.trap.capabilitiesUrl
      await assertUntouched(target, () => target.rogue.serve('/moved', { status: 302, headers: { location } }))
    },
  },
  {
    defect: 6,
    name: 'a token address on another host is not sent the new secret',
    async run(target) {
      const path = '/v2/other'
      const document = target.rogue.document(one => {
        one.links.self = `${target.rogue.origin}${path}`
        one.capabilities.oauth2Provider.tokenUrl = `${target.trap.origin}/v2/oauth/token`
      })
      await assertUntouched(target, () => target.rogue.serve(path, { body: document }))
    },
  },
  malformed('an install whose id is a number', { oauthId: 7 }),
  malformed('an install without a secret', { oauthSecret: undefined }),
  malformed('an install without a group', { groupId: undefined }),
]

async function withGreeting(target: Target): Promise<Tenant> {
  const victim = await install(target)
  await call(victim, 'tenantStore', 'set', ['greeting', 'hello'])
  await assertGreeting(victim)
  return victim
}

async function assertGreeting(victim: Tenant): Promise<void> {
  const { value, error } = await call(victim, 'tenantStore', 'get', ['greeting'])
  assert.equal(value, 'hello', `the neighbour now reads ${JSON.stringify(value ?? error)?.slice(0, 60)}`)
}

/** Whether the add-on takes it is its own affair; what counts is what comes of it. */
async function installRogue(target: Target, id: string): Promise<void> {
  target.rogue.client(id, EVIL_SECRET)
  await postInstall(await target.addon(), installable(target.rogue, id, EVIL_SECRET))
}

async function assertUntouched({ addon, rogue, trap }: Target, capabilitiesUrlOf: () => string): Promise<void> {
  const running = await addon()
  const before = { connections: trap.connections, requests: trap.asked.length }
  const id = randomUUID()
  rogue.client(id, EVIL_SECRET)
  await postInstall(running, { ...installable(rogue, id, EVIL_SECRET), capabilitiesUrl: capabilitiesUrlOf() })
  const after = { connections: trap.connections, requests: trap.asked.length }
  assert.deepEqual(after, before, 'a host that nobody trusts was asked')
}
