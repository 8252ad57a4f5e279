/**
 * What a case works against: an add-on under test with the hosts around it. One interface, so that the very same cases run against
 * Partywall and against the library of before.
 */

import type { HipchatHost, HostRoom, HostUser, Installation } from 'partywall/host'
import type { FakeHost } from '../e2e/attack/fake-host.ts'
import type { AddonProcess, Answered } from './addon-process.ts'
import type { Call } from './partywall/services.ts'

export interface Target {
  readonly name: string
  /** Where add-ons are installed from. */
  readonly host: HipchatHost
  /** As trusted as the other by the add-on's settings, and it lies. */
  readonly rogue: FakeHost
  /** Not trusted. */
  readonly trap: FakeHost
  /** The add-on; started again where an earlier case has ended it. */
  addon(): Promise<AddonProcess>
  /** One of this case's own, closed with the target. */
  start(environment: Readonly<Record<string, string>>): Promise<AddonProcess>
  /** Everything the add-on keeps, as text. */
  stored(addon: AddonProcess): Promise<string>
  /** What comes along when the library is installed. */
  dependencies(): Promise<readonly Dependency[]>
  /** The library's own manifest. */
  manifest(): Promise<Readonly<Record<string, unknown>>>
}

export interface Dependency {
  readonly name: string
  readonly version: string
  /** The versions of Node that it asks for. */
  readonly node: string | undefined
}

export interface Tenant {
  readonly installation: Installation
  readonly room: HostRoom
  readonly user: HostUser
  readonly addon: AddonProcess
}

/** A new tenant in a group and room of its own. @throws Error when the add-on refuses it */
export async function install(
  target: Target,
  { addon, path = '' }: { addon?: AddonProcess; path?: string } = {},
): Promise<Tenant> {
  const running = addon ?? (await target.addon())
  const group = target.host.createGroup({ name: 'Acme' })
  const room = group.createRoom({ name: 'Lobby' })
  const user = group.createUser({ name: 'Ada', mentionName: 'ada' })
  const installation = await target.host.install(`${running.url}${path}/addon/capabilities`, { group, room })
  if (installation.state !== 'installed') throw new Error(`not installed: ${JSON.stringify(installation.result)}`)
  return { installation, room, user, addon: running }
}

/** A request with the token in the header form that both libraries take. */
export const withToken = (addon: AddonProcess, path: string, token: string): Promise<Answered> =>
  addon.send(path, { headers: { authorization: `JWT token=${token}` } })

export const whoami = ({ addon, installation }: Tenant, token = installation.signRequest()): Promise<Answered> =>
  withToken(addon, '/whoami', token)

export interface Outcome {
  readonly value?: unknown
  /** Message of what was thrown. */
  readonly error?: string
}

/** Lets the add-on call a method of one of the tenant's services. */
export function call(
  tenant: Tenant,
  on: Call['on'],
  method: string,
  args: readonly unknown[] = [],
  { narrow = [], path = '' }: { readonly narrow?: readonly string[]; readonly path?: string } = {},
): Promise<Outcome> {
  const text = encodeURIComponent(JSON.stringify({ on, narrow, method, args }))
  return outcomeOf(tenant, `${path}/call?call=${text}`)
}

/** Lets the add-on do one of its tasks of several steps. */
export const perform = (tenant: Tenant, name: 'count' | 'keep' | 'shout'): Promise<Outcome> =>
  outcomeOf(tenant, `/task?name=${name}`)

async function outcomeOf({ addon, installation }: Tenant, path: string): Promise<Outcome> {
  const answer = await withToken(addon, path, installation.signRequest())
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.text}`)
  return answer.json as Outcome
}

export interface AddonEvent {
  readonly name: string
  readonly tenant: string
  readonly text?: unknown
}

/** What handlers of this tenant have told so far. */
export async function eventsOf({ addon, installation }: Tenant): Promise<readonly AddonEvent[]> {
  const { json } = await addon.send('/events')
  return (json as readonly AddonEvent[]).filter(({ tenant }) => tenant === installation.oauthId)
}

/** The body of an install as a host sends it. */
export const installable = (host: FakeHost, oauthId: string, oauthSecret: string) => ({
  oauthId,
  oauthSecret,
  groupId: 1,
  roomId: 2,
  capabilitiesUrl: host.capabilitiesUrl,
})

export const postInstall = (addon: AddonProcess, body: unknown): Promise<Answered> =>
  addon.send('/addon/installable', { method: 'POST', body })

/** Waits until the add-on has worked off what came before. */
export async function settle(tenant: Tenant): Promise<void> {
  const text = `/note settled ${Math.random()}`
  await tenant.room.say(tenant.user, text)
  const deadline = performance.now() + 20_000
  while (!(await eventsOf(tenant)).some(event => event.text === text)) {
    if (performance.now() > deadline) throw new Error('the add-on does not answer a genuine message')
    await new Promise(resolve => setTimeout(resolve, 25))
  }
}
