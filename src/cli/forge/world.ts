/** What `partywall forge` runs an app in: the embedded database, simulated sites, one installation on each. Everything is on loopback. */

import { access } from 'node:fs/promises'
import path from 'node:path'
import { PartywallError } from '../../core/errors.ts'
import type { Logger } from '../../core/ports.ts'
import type { ConnectHost, Site } from '../../host/index.ts'
import type { App, AppLogLine, ForgeApp, ForgeInstallation } from '../../index.ts'

export interface WorldOptions {
  readonly folder: string
  readonly tenants: number
  readonly environment: string
  /** Of the app's own server; the simulated products get the next one. 0: any free ones. */
  readonly port: number
  readonly logger: Logger
  readonly onLog: (tenant: string, line: AppLogLine) => void
}

export interface Tenant {
  /** `tenant-1` and so on. */
  readonly name: string
  readonly site: Site
  readonly installation: ForgeInstallation
  /** Somebody of the site, an issue and a page of it. */
  readonly accountId: string
  readonly issueKey: string
  readonly pageId: string
}

export interface ForgeWorld {
  readonly app: App
  readonly forge: ForgeApp
  readonly host: ConnectHost
  readonly tenants: readonly Tenant[]
  /** Where this app's data is kept. */
  readonly dataFolder: string
  close(): Promise<void>
}

export const dataFolderOf = (folder: string): string => path.join(path.resolve(folder), '.partywall')

/** @throws ERR_FORGE_APP_FOLDER, and what `createApp` and `app.forge` throw */
export async function openForgeWorld(options: WorldOptions): Promise<ForgeWorld> {
  await checkPackages(options.folder)
  const [{ createApp, listen }, { startConnectHost }] = await Promise.all([
    import('../../index.ts'),
    import('../../host/index.ts'),
  ])
  const closers: (() => Promise<unknown>)[] = []
  const close = async () => {
    for (const one of closers.splice(0).reverse()) await one()
  }
  try {
    const dataFolder = dataFolderOf(options.folder)
    // The same ids and addresses each time: installations of before find their sites again.
    const host = await startConnectHost({ port: options.port === 0 ? 0 : options.port + 1, seed: 1 })
    closers.push(() => host.close())
    const port = options.port === 0 ? await freePort() : options.port
    const app = await createApp({
      key: 'dev.partywall.forge',
      baseUrl: `http://127.0.0.1:${port}`,
      database: { folder: dataFolder, environment: {} },
      developmentHosts: [new URL(host.url).host],
      logger: options.logger,
      requestLog: false,
    })
    closers.push(() => app.close())
    const names = new Map<string, string>()
    const forge = await app.forge({
      folder: options.folder,
      environment: options.environment,
      product: { credentials: host.forgeCredentials },
      manifestVariables: process.env,
      onLog: line => options.onLog(names.get(line.installationId) ?? line.installationId, line),
    })
    const server = await listen(app, { port })
    closers.push(() => server.close())
    const known = await forge.installations()
    const tenants: Tenant[] = []
    for (let number = 1; number <= options.tenants; number += 1) {
      tenants.push(await openTenant(`tenant-${number}`, host, forge, known))
    }
    for (const { name, installation } of tenants) names.set(installation.id, name)
    const stop = host.on('forge', ({ product, event, causedBy }) => {
      const tenant = tenants.find(({ site }) => site === product.site)
      tenant?.installation
        .deliver(event, { isSelfGenerated: causedBy === forge.id })
        .catch((error: unknown) => options.logger.error('forge-event-not-delivered', { tenant: tenant.name, error }))
    })
    closers.push(async () => stop())
    return { app, forge, host, tenants, dataFolder, close }
  } catch (error) {
    await close()
    throw portError(error) ?? error
  }
}

function portError(error: unknown): PartywallError | undefined {
  const { code, port } = error as { code?: unknown; port?: unknown }
  if (code !== 'EADDRINUSE') return undefined
  return new PartywallError('ERR_CONFIG', { message: `port ${port} is in use: give another --port`, cause: error })
}

async function openTenant(
  name: string,
  host: ConnectHost,
  forge: ForgeApp,
  known: readonly ForgeInstallation[],
): Promise<Tenant> {
  const site = host.createSite({ name })
  const { accountId } = site.createUser({ displayName: `Ada of ${name}`, permissions: ['EDIT_ISSUES', 'update'] })
  const issue = site.createIssue(site.createProject({ key: 'DEV', name: 'Development' }), {
    summary: `First issue of ${name}`,
  })
  const page = site.createContent(site.createSpace({ key: 'DEV', name: 'Development' }), {
    title: `First page of ${name}`,
  })
  const installation =
    known.find(one => one.site.url === site.url) ?? (await forge.install({ url: site.url, cloudId: site.cloudId }))
  await installation.upgrade()
  return { name, site, installation, accountId, issueKey: issue.key, pageId: page.id }
}

/** Before anything is started: what the app itself needs is the developer's to install. */
async function checkPackages(folder: string): Promise<void> {
  const isThere = (name: string) =>
    access(path.join(folder, name)).then(
      () => true,
      () => false,
    )
  if ((await isThere('package.json')) && !(await isThere('node_modules'))) {
    throw new PartywallError('ERR_FORGE_APP_FOLDER', {
      message: `the packages of the app are not installed: run npm install in ${folder}`,
    })
  }
}

async function freePort(): Promise<number> {
  const { createServer } = await import('node:net')
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise(resolve => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}
