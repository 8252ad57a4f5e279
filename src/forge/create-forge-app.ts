/** Puts one Forge app together: its services, its handlers, its routes; and installs, upgrades and uninstalls it. */

import { randomUUID } from 'node:crypto'
import path from 'node:path'
import type { TenantContext } from '../core/context.ts'
import { isPartywallError, PartywallError } from '../core/errors.ts'
import { type IdentityKey, type IdentityRecord, isLive } from '../core/tenant.ts'
import type { Answer, RoutedRequest } from '../http/view.ts'
import type { IsolationPolicy, Sandbox } from '../sandbox/types.ts'
import type { ForgeDeps } from './create-forge.ts'
import { createEgressService } from './egress/egress-service.ts'
import type { ForgeApp, ForgeInstallation, ForgeOptions } from './forge-types.ts'
import { advance, untilIdle } from './invocations/advance.ts'
import { createEventHandler } from './invocations/async-events.ts'
import type { InvocationParts } from './invocations/parts.ts'
import { createQueueService } from './invocations/queue-service.ts'
import { createScheduleHandler, planSchedules } from './invocations/schedules.ts'
import { createForgeTime } from './invocations/time.ts'
import { LONGEST_MS } from './invocations/timeouts.ts'
import { createTriggerHandler } from './invocations/triggers.ts'
import { createWebTriggerRoute } from './invocations/web-trigger-route.ts'
import { createWebTriggerService } from './invocations/web-trigger-service.ts'
import { createWebTriggerUrls } from './invocations/web-trigger-urls.ts'
import { createNotSimulated } from './not-simulated.ts'
import { createBroker } from './platform/broker.ts'
import { deploy } from './platform/deploy.ts'
import { createEnvironments, newestOf } from './platform/environments.ts'
import { createInstallations, type InstallationsDeps } from './platform/installations.ts'
import { createRunner, type Runner } from './platform/runner.ts'
import { createVersions, readAppId } from './platform/versions.ts'
import type { ProductBackend } from './product/backend.ts'
import { createProductGateway } from './product/gateway.ts'
import { createRecordedBackend, createRecordingBackend } from './product/recorded.ts'
import { createSiteBackend } from './product/site-backend.ts'
import { callsOf, createSearch, type ReportedApp, reportIsolation } from './report/isolation-report.ts'
import { createKvsService } from './storage/kvs.ts'
import { createLegacyStorage } from './storage/legacy.ts'
import { FORGE_LIMITS } from './storage/limits.ts'
import { watchLimits } from './storage/near-limits.ts'
import { createSeal } from './storage/seal.ts'
import { uuidOf } from './uuid-of.ts'

/** A Forge app as the platform serves it. */
export interface ServedForgeApp {
  /** App and environment. */
  readonly key: string
  readonly app: ForgeApp
  readonly identityKeyOf: (installationId: string) => IdentityKey
  readonly serveWebTrigger: (context: TenantContext, id: string, request: RoutedRequest) => Promise<Answer | undefined>
  /** Ways in that the isolation report alone has. */
  readonly openToReport: () => Promise<ReportedApp>
}

/** Longest that a function's answer may need beyond the function's own limit. */
const MARGIN_MS = 10_000

export interface CreateOptions {
  /** Throws where an app of this key is there already. */
  readonly claim: (key: string) => void
  /** Whether the code can be asked what it keeps. */
  readonly forReport: boolean
  /** The same app once more, for the isolation report. */
  readonly createForReport: (policy: IsolationPolicy) => Promise<ServedForgeApp>
}

export async function createForgeApp(
  options: ForgeOptions,
  deps: ForgeDeps,
  sandbox: Sandbox,
  { claim, forReport, createForReport }: CreateOptions,
): Promise<ServedForgeApp> {
  const { environment = 'development', manifestVariables = {} } = options
  const appId = await readAppId(options.folder, manifestVariables)
  const key = `${appId} ${environment}`
  claim(key)
  const environments = createEnvironments({ registry: deps.registry, clock: deps.clock, newId: randomUUID })
  const versions = createVersions(path.join(deps.folder, appId, environment))
  const deployNow = () =>
    deploy(
      { folder: options.folder, appId, environment, variables: manifestVariables, forReport },
      { environments, versions, sandbox },
    )
  let deployment = await deployNow()

  const time = createForgeTime(deps.clock)
  const prefix = `forge:${appId}:${environment}`
  const handlers = { event: `${prefix}:event`, trigger: `${prefix}:trigger`, schedule: `${prefix}:schedule` }
  const stateOf = (context: TenantContext) => deps.storeOf(context, 'internal').narrow('forge')
  const urls = createWebTriggerUrls(deps.app.baseUrl, { stateOf, random: deps.random })
  const services = createServices(options, deps, urls)
  // The queue's service needs the runner that the services are made for: it comes a moment later.
  let queue: ReturnType<typeof createQueueService> | undefined
  const broker = createBroker(
    {
      ...services,
      queue: {
        handle: (caller, request) => {
          if (queue === undefined) throw new TypeError('a call before the platform was whole')
          return queue.handle(caller, request)
        },
      },
    },
    deps.logger,
  )
  const policy: IsolationPolicy = options.isolation ?? 'installation'
  const runner: Runner = createRunner({
    sandbox,
    environments,
    versions,
    broker,
    policyOf: () => policy,
    onLog:
      options.onLog ??
      (({ level, text, installationId, functionKey }) =>
        deps.logger[level]('forge-log', { tenant: installationId, function: functionKey, text })),
  })
  const parts: InvocationParts = {
    runner,
    jobs: deps.jobs,
    time,
    random: deps.random,
    logger: deps.logger,
    handlers,
    stateOf,
  }
  queue = createQueueService(parts, deps.clock)
  const longest = LONGEST_MS + MARGIN_MS
  deps.handlers.set(handlers.event, createEventHandler(parts), 'full', longest)
  deps.handlers.set(handlers.trigger, createTriggerHandler(parts), 'full', longest)
  deps.handlers.set(handlers.schedule, createScheduleHandler(parts), 'full', longest)

  const names = Object.values(handlers)
  const identityKeyOf = (externalId: string): IdentityKey => ({ app: appId, environment, dialect: 'forge', externalId })
  const installationsDeps: InstallationsDeps = {
    deps,
    parts,
    urls,
    environments,
    versions,
    sandbox,
    appId,
    environment,
    identityKeyOf,
    uninstallHandler: `${prefix}:uninstalled`,
    idle: tenant => untilIdle([tenant], { pool: deps.pool, handlers: names, lookSoon: deps.lookSoon }),
    cloudIdOf: url => uuidOf(`partywall site ${url}`),
  }
  const installations = createInstallations(installationsDeps)
  const tenants = async () => (await installations.records()).map(({ tenantUid }) => tenantUid)
  const shared = { pool: deps.pool, time, handlers: names, lookSoon: deps.lookSoon }

  const app: ForgeApp = {
    id: appId,
    get name() {
      return deployment.manifest.name ?? appId
    },
    environment,
    get manifest() {
      return deployment.manifest
    },
    get deployment() {
      return deployment
    },
    boundary: sandbox.boundary,
    async deploy() {
      deployment = await deployNow()
      if (deployment.kind === 'minor') await replan(await installations.records(), deps, parts)
      return deployment
    },
    install: site => installations.install(site),
    installation: id => installations.get(id),
    installations: () => installations.list(),
    variables: {
      set: (name, value, { encrypt = false } = {}) =>
        environments.setVariable(appId, environment, name, { value, isEncrypted: encrypt }),
      unset: name => environments.setVariable(appId, environment, name, undefined),
      async list() {
        const { variables } = await environments.get(appId, environment)
        return [...variables].map(([name, { value, isEncrypted }]) => ({
          name,
          isEncrypted,
          value: isEncrypted ? undefined : value,
        }))
      },
    },
    report: calls =>
      reportIsolation(
        calls ?? callsOf(deployment),
        async wanted => (await createForReport(wanted)).openToReport(),
        deps.pool,
      ),
    time: { now: time.now, advance: async ms => advance(ms, await tenants(), shared) },
    idle: async () => untilIdle(await tenants(), shared),
  }
  const serveWebTrigger = createWebTriggerRoute({ runner, urls, clock: deps.clock, logger: deps.logger })
  const openToReport = async (): Promise<ReportedApp> => {
    const version = newestOf(await environments.get(appId, environment))
    if (version === undefined) throw new PartywallError('ERR_FORGE_VERSION_MISSING')
    const { program } = await versions.load(version)
    const run = async <T>({ id }: ForgeInstallation, work: (context: TenantContext) => Promise<T>): Promise<T> => {
      const identity = await deps.registry.find(identityKeyOf(id))
      if (identity === undefined) throw new PartywallError('ERR_TENANT_UNKNOWN')
      return deps.binder.run(identity, work)
    }
    return {
      app,
      bundle: path.join(program.folder, program.entry),
      run,
      search: createSearch(sandbox, program, policy, run),
    }
  }
  return { key, app, identityKeyOf, serveWebTrigger, openToReport }
}

/** What stands behind a guest's requests, but for the queue. */
function createServices(options: ForgeOptions, deps: ForgeDeps, urls: ReturnType<typeof createWebTriggerUrls>) {
  const notSimulated = createNotSimulated(deps.logger)
  const storage = {
    pool: deps.pool,
    seal: createSeal(deps),
    limits: { ...FORGE_LIMITS, ...options.storageLimits },
    nearLimits: watchLimits(deps.logger, deps.clock),
    cursorKey: deps.cursorKey,
    clock: deps.clock,
    logger: deps.logger,
  }
  return {
    kvs: createKvsService(storage),
    legacyStorage: createLegacyStorage(storage),
    product: createProductGateway(backendOf(options, deps)),
    egress: createEgressService(deps.outbound, { developmentHosts: deps.developmentHosts }),
    webTriggers: createWebTriggerService(urls, notSimulated),
    notSimulated,
  }
}

function backendOf({ product }: ForgeOptions, { outbound }: ForgeDeps): ProductBackend {
  if (product === undefined) return createSiteBackend(outbound, () => undefined)
  if ('replay' in product) return createRecordedBackend(product.replay)
  const site = createSiteBackend(outbound, product.credentials)
  return product.record === undefined ? site : createRecordingBackend(site, product.record)
}

/** A new version may have other schedules; an installation that ends meanwhile needs none. */
async function replan(records: readonly IdentityRecord[], deps: ForgeDeps, parts: InvocationParts): Promise<void> {
  for (const identity of records) {
    if (!isLive(identity)) continue
    try {
      await deps.binder.run(identity, context => planSchedules(context, parts))
    } catch (error) {
      if (!isPartywallError(error, 'ERR_TENANT_REVOKED') && !isPartywallError(error, 'ERR_TENANT_DISABLED')) throw error
    }
  }
}
