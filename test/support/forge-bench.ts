/** The workbench app in a world of its own, and its installations as tests speak to them. */

import type { ForgeApp, ForgeInstallation, ForgeOptions, JsonValue } from 'partywall'
import type { Site } from 'partywall/host'
import { type WorkbenchOptions, workbench } from '../fixtures/forge/workbench.ts'
import { type AppFiles, writeForgeApp } from './forge-packages.ts'
import { createForgeWorld, type ForgeWorld } from './forge-world.ts'
import type { Cleanup } from './processes.ts'

export interface Bench {
  readonly world: ForgeWorld
  readonly app: ForgeApp
  readonly folder: string
  readonly files: AppFiles
  customer(name: string): Promise<Customer>
}
export interface Customer {
  readonly name: string
  readonly site: Site
  readonly installation: ForgeInstallation
  readonly accountId: string
  readonly issueKey: string
  /** Runs code as the app's own. `sdk` has the packages, `state` a module's variable. */
  run<T = JsonValue | undefined>(code: string, value?: JsonValue, options?: { accountId?: string }): Promise<T>
  /** What a module was called with, oldest first. */
  heard<T = Record<string, JsonValue>>(name: string): Promise<readonly T[]>
}

export interface BenchOptions extends WorkbenchOptions, Partial<Omit<ForgeOptions, 'folder'>> {
  readonly world?: Parameters<typeof createForgeWorld>[1]
}

export async function createBench(
  test: Cleanup,
  packages: string,
  { world: worldOptions, scopes, egress, modules, app: appYaml, more, ...forgeOptions }: BenchOptions = {},
): Promise<Bench> {
  const files = workbench({
    ...(scopes && { scopes }),
    ...(egress && { egress }),
    ...(modules === undefined ? {} : { modules }),
    ...(appYaml === undefined ? {} : { app: appYaml }),
    ...(more === undefined ? {} : { more }),
  })
  const folder = await writeForgeApp(packages, files)
  const world = await createForgeWorld(test, worldOptions)
  const app = await world.forge({ folder, ...forgeOptions })
  return { world, app, folder, files, customer: name => createCustomer(world, app, name) }
}

export async function createCustomer(world: ForgeWorld, app: ForgeApp, name: string): Promise<Customer> {
  const site = world.site(name)
  const { accountId } = site.createUser({ displayName: `Ada of ${name}`, permissions: ['EDIT_ISSUES'] })
  const issue = site.createIssue(site.createProject({ key: 'CAR' }), { summary: `brakes of ${name}` })
  const installation = await app.install({ url: site.url })
  const run: Customer['run'] = async (code, value, options = { accountId }) =>
    (await installation.invoke(
      'run',
      { code, ...(value === undefined ? {} : { value }) },
      { ...options, extension: { issue: { key: issue.key } } },
    )) as never
  return {
    name,
    site,
    installation,
    accountId,
    issueKey: issue.key,
    run,
    heard: async what => (await run<never>(`return (await sdk.kvs.get('heard:${what}')) ?? []`)) as never,
  }
}
