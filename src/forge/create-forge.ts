/** The Forge platform of an app: one sandbox, the addresses of web triggers, and the Forge apps that are added. */

import type { DialectDeps } from '../core/dialect.ts'
import { type IdentityKey, isLive } from '../core/tenant.ts'
import { emptyAnswer } from '../http/answers.ts'
import type { Answer, Route, RoutedRequest } from '../http/view.ts'
import type { BoundPool, PlainPool } from '../postgres/database.ts'
import type { DataKeys } from '../postgres/secrets.ts'
import { createSandbox } from '../sandbox/create-sandbox.ts'
import type { Sandbox, SandboxOptions } from '../sandbox/types.ts'
import { createForgeApp, type ServedForgeApp } from './create-forge-app.ts'
import type { ForgeApp, ForgeOptions } from './forge-types.ts'
import { claimedInstallation } from './invocations/web-trigger-urls.ts'

export interface ForgeDeps extends DialectDeps {
  readonly pool: BoundPool
  readonly system: PlainPool
  readonly dataKeys: DataKeys
  readonly cursorKey: Buffer
  /** The dispatcher is to look for work now. */
  readonly lookSoon: () => void
  /** Where deployed versions are kept. */
  readonly folder: string
  readonly developmentHosts: readonly string[]
  readonly sandbox: SandboxOptions
}

export interface Forge {
  readonly routes: readonly Route[]
  /** @throws TypeError the app is there already in this environment · what `ForgeApp.deploy` throws */
  add(options: ForgeOptions): Promise<ForgeApp>
  close(): Promise<void>
}

export async function createForge(deps: ForgeDeps): Promise<Forge> {
  const sandbox = await createSandbox({ ...deps.sandbox, logger: deps.logger })
  const apps = new Map<string, ServedForgeApp>()
  // In every process that has run something of it.
  const stopRevoked = deps.registry.onRevoked(({ identity }) => void stop(sandbox, identity, deps))
  const handle = (request: RoutedRequest) => answerWebTrigger(request, [...apps.values()], deps)
  return {
    routes: ['/x1/:id/*', '/public/:id/*'].map(path => ({ method: '*', path, handle })),
    async add(options) {
      const claim = (name: string) => {
        if (apps.has(name)) throw new TypeError(`the Forge app ${name} is there already`)
      }
      const create = async (wanted: ForgeOptions, forReport: boolean): Promise<ServedForgeApp> => {
        const made = await createForgeApp(wanted, deps, sandbox, {
          claim,
          forReport,
          createForReport: policy =>
            create({ ...options, isolation: policy, environment: reportEnvironment(policy) }, true),
        })
        apps.set(made.key, made)
        return made
      }
      return (await create(options, false)).app
    },
    async close() {
      stopRevoked()
      await sandbox.close()
    },
  }
}

async function stop(sandbox: Sandbox, instance: string, { logger }: ForgeDeps): Promise<void> {
  try {
    await sandbox.stopInstance(instance)
  } catch (error) {
    logger.error('forge-instance-not-stopped', { error })
  }
}

/** The id says whose call it is; whether it is true the installation's own rows say. */
async function answerWebTrigger(
  request: RoutedRequest,
  apps: readonly ServedForgeApp[],
  { registry, binder }: ForgeDeps,
): Promise<Answer> {
  const { id = '' } = request.params
  const externalId = claimedInstallation(id)
  if (externalId === undefined) return NOT_FOUND
  for (const { identityKeyOf, serveWebTrigger } of apps) {
    const key: IdentityKey = identityKeyOf(externalId)
    const identity = await registry.find(key)
    if (identity === undefined || !isLive(identity)) continue
    const answer = await binder.run(identity, context => serveWebTrigger(context, id, request))
    if (answer !== undefined) return { ...answer, tenant: externalId }
  }
  return NOT_FOUND
}

const NOT_FOUND = emptyAnswer(404)

let reports = 0
/** One of its own for each report: two may run at once. */
function reportEnvironment(policy: string): string {
  reports += 1
  return `report-${policy}-${process.pid}-${reports}`
}
