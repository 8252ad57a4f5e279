/** Installs an add-on under test in several tenants of a simulated host, and takes it out again afterwards. */

import type { HipchatHost, HostRoom, HostUser, Installation } from '../host/index.ts'

export interface TestTenant {
  readonly installation: Installation
  readonly room: HostRoom
  readonly user: HostUser
}

export interface WithTenantsOptions {
  readonly host: HipchatHost
  readonly descriptorUrl: string
  /** Default 2: the least that shows a wall. */
  readonly count?: number
}

/**
 * Runs `work` with `count` tenants, each in a group and room of its own.
 *
 * @throws Error when the add-on refuses an install; what `work` throws, after the tenants are uninstalled
 * @example await withTenants({ host, descriptorUrl }, async ([one, other]) => { await one.room.say(one.user, '/hello') })
 */
export async function withTenants<T>(
  { host, descriptorUrl, count = 2 }: WithTenantsOptions,
  work: (tenants: readonly TestTenant[]) => Promise<T>,
): Promise<T> {
  const tenants: TestTenant[] = []
  try {
    for (let n = 1; n <= count; n++) tenants.push(await installOne(host, descriptorUrl, n))
    return await work(tenants)
  } finally {
    await Promise.all(tenants.map(({ installation }) => installation.uninstall()))
  }
}

async function installOne(host: HipchatHost, descriptorUrl: string, n: number): Promise<TestTenant> {
  const group = host.createGroup({ name: `Group ${n}` })
  const room = group.createRoom({ name: `Room ${n}` })
  const user = group.createUser({ name: `User ${n}`, mentionName: `user${n}` })
  const installation = await host.install(descriptorUrl, { group, room })
  if (installation.state !== 'installed') {
    throw new Error(`the add-on refused install ${n}: ${JSON.stringify(installation.result)}`)
  }
  return { installation, room, user }
}
