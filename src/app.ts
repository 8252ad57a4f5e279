/**
 * The composition root: makes an app out of the parts. The only file that knows all of them; no part knows this one.
 */

import { hkdfSync } from 'node:crypto'
import path from 'node:path'
import { authenticate, type KoaMiddleware } from './adapters/koa.ts'
import type { App, InstallationName } from './app-types.ts'
import { type AppOptions, type Configuration, readConfiguration } from './configuration.ts'
import { createAccessLog } from './core/access-log.ts'
import { createBinder } from './core/bind.ts'
import type { DialectDeps } from './core/dialect.ts'
import { PartywallError } from './core/errors.ts'
import { createLogger } from './core/log.ts'
import type { Jobs, Logger } from './core/ports.ts'
import { createInFlight, untilIdle, within } from './core/shutdown.ts'
import { systemClock, systemRandom } from './core/system.ts'
import type { DialectId, IdentityKey } from './core/tenant.ts'
import { createTenantStore } from './core/tenant-store.ts'
import { createTokens } from './core/tokens.ts'
import { type ConnectPorts, createConnectAddon } from './dialects/connect/addon.ts'
import { createHipchatAddon } from './dialects/hipchat/addon.ts'
import type { Forge } from './forge/create-forge.ts'
import { type AppGuardOptions, createAppGuard } from './http/app-guard.ts'
import { createFloodGate, type FloodGate } from './http/flood-gate.ts'
import { createKeySource } from './http/key-source.ts'
import { createTenantLimits, limitBinder } from './http/limits.ts'
import { watchLoop } from './http/loop-watch.ts'
import { createOutbound } from './http/outbound.ts'
import { createRouter, type ErrorListener } from './http/router.ts'
import type { Answer, Guard, Guarding, GuardOptions, Mountable, Route } from './http/view.ts'
import { createDeadLetters } from './jobs/dead-letters.ts'
import { createDispatcher } from './jobs/dispatcher.ts'
import { createFarewells } from './jobs/farewells.ts'
import { createHandlerTable } from './jobs/handlers.ts'
import { createInbox } from './jobs/inbox.ts'
import { createJobs } from './jobs/jobs.ts'
import { createScheduleFirer } from './jobs/schedules.ts'
import { createFarewellTable } from './postgres/farewells.ts'
import { keyProvider } from './postgres/keys.ts'
import { createKv } from './postgres/kv.ts'
import { type OpenDatabase, openDatabase } from './postgres/open.ts'
import { createRegistry } from './postgres/registry.ts'
import { createRetention } from './postgres/retention.ts'
import { createDataKeys } from './postgres/secrets.ts'
import { createTenantSql } from './postgres/sql-tag.ts'
import { createTokenStore } from './postgres/token-store.ts'

/** How long the lease may take to be given back, and connections to hosts to end. */
const PARTING_MS = 750
const READY = { name: 'app_ready', text: 'select 1 from pw.epoch' }

/**
 * Starts an app: database, registry, dispatcher. Add-ons are added afterwards and before the first request.
 *
 * @throws ERR_CONFIG, ERR_KEYS_MISSING, ERR_WALL_UNSAFE_ROLE, ERR_DATABASE_NOT_PREPARED and others: the message says what to do
 * @example
 * const app = await createApp({ key: 'com.example.greeter', baseUrl: 'https://greeter.example.com' })
 */
export async function createApp(options: AppOptions): Promise<App> {
  const configuration = readConfiguration(options, process.env)
  const logger = options.logger ?? createLogger({ level: configuration.logLevel })
  const keys =
    options.keys ??
    (await keyProvider({
      env: process.env,
      production: configuration.isProduction,
      dataFolder: options.database?.folder ?? '.partywall',
    }))
  const database = await openDatabase({ logger, ...options.database })
  try {
    return await assemble(options, configuration, logger, database, keys)
  } catch (error) {
    await database.close()
    throw error
  }
}

async function assemble(
  options: AppOptions,
  configuration: Configuration,
  logger: Logger,
  database: OpenDatabase,
  keys: NonNullable<AppOptions['keys']>,
): Promise<App> {
  const clock = options.clock ?? systemClock
  const random = options.random ?? systemRandom
  const { app: spec, developmentHosts, privateHosts, jobs: settings, retention: policy } = configuration

  // Tenants.
  const dataKeys = createDataKeys({ keys })
  const registry = createRegistry({ database, dataKeys, clock, logger, retention: policy })
  const binder = createBinder({ registry, logger })
  const retention = createRetention({ database, logger, clock, retention: policy })
  const tokens = createTokens({
    store: createTokenStore({ database, dataKeys }),
    clock,
    random,
    logger,
    isCurrent: identity => registry.isCurrent(identity),
  })
  registry.onRevoked(({ identity }) => tokens.forget({ uid: identity }))

  // Work.
  const handlers = createHandlerTable()
  const schedules = createScheduleFirer({ database, clock, logger, handlerNames: handlers.names, settings })
  const dispatcher = createDispatcher({
    database,
    registry,
    binder,
    handlers,
    logger,
    random: () => random.bytes(4).readUInt32BE() / 2 ** 32,
    settings,
    fireSchedules: schedules.fire,
  })
  const inbox = createInbox({ database, dispatcher, clock, settings })
  const jobs = createJobs({ database, dispatcher, clock, settings })
  const farewells = createFarewells({
    table: createFarewellTable(database.system),
    registry,
    binder,
    handlers,
    inbox,
    logger,
    handlerTimeoutMs: settings.handlerTimeoutMs,
  })

  // The way in and the way out.
  const loop = watchLoop(clock)
  const gate = createFloodGate(clock, loop.lagMs, options.limits)
  const outbound = createOutbound({
    allowPrivate: developmentHosts,
    allowHttp: developmentHosts,
    allowPrivateNetwork: privateHosts,
  })
  const accessLog = options.requestLog === false ? undefined : createAccessLog()
  const onError: ErrorListener = (error, view) => logger.error('request-failed', { method: view.method, error })

  // Storage.
  const kv = createKv(database.app)
  const cursorKey = Buffer.from(hkdfSync('sha256', keys.current.key, '', 'partywall cursor', 32))
  const deps: DialectDeps = {
    app: spec,
    registry,
    binder: limitBinder(binder, createTenantLimits(clock, tenantLimitsOf(options.limits))),
    tokens,
    outbound,
    inbox,
    jobs,
    handlers,
    farewells,
    clock,
    random,
    logger,
    storeOf: (context, space) => createTenantStore({ context, kv, space, cursorKey, clock }),
    eraseIfDue: identity => retention.eraseIfDue(identity),
  }

  const connectPorts: ConnectPorts = {
    ...deps,
    createKeySource: servers => createKeySource({ outbound, clock, servers }),
  }

  // Bundling and sandboxing are loaded when there is something to bundle.
  let forge: Promise<Forge> | undefined
  const openForge = async (): Promise<Forge> => {
    const { createForge } = await import('./forge/create-forge.ts')
    return createForge({
      ...deps,
      pool: database.app,
      system: database.system,
      dataKeys,
      cursorKey,
      lookSoon: () => dispatcher.lookSoon(),
      folder: path.resolve(options.database?.folder ?? '.partywall', 'forge'),
      developmentHosts,
      sandbox: { ...options.sandbox, production: configuration.isProduction },
    })
  }

  const addons: { readonly dialect: DialectId; readonly addon: Addon }[] = []
  const add = <A extends Addon>(dialect: DialectId, create: () => A): A => {
    if (routes !== undefined) throw new TypeError('the app serves already; add its add-ons before the first request')
    const addon = create()
    const isTaken = addons.some(one => one.dialect === dialect && one.addon.key === addon.key)
    if (isTaken) throw new TypeError(`two add-ons have the key ${addon.key}`)
    addons.push({ dialect, addon })
    return addon
  }
  let routes: Mountable | undefined
  const serve = (): Mountable => {
    if (routes !== undefined) return routes
    for (const { addon } of addons) addon.freeze()
    routes = gate.protectApp(
      createRouter(
        addons.flatMap(({ addon }) => addon.routes),
        configuration.basePath,
        onError,
      ),
    )
    return routes
  }

  await registry.start()
  await dispatcher.start()
  retention.start()
  farewells.start()

  const keyOf = ({ dialect, id, addon = spec.key }: InstallationName): IdentityKey => ({
    app: addon,
    environment: spec.environment,
    dialect,
    externalId: id,
  })
  const requests = createInFlight()
  let closing: Promise<void> | undefined
  const ensureOpen = () => {
    if (closing !== undefined) throw new PartywallError('ERR_SHUTTING_DOWN', { retryAfterSeconds: 5 })
  }
  const guardOptions: AppGuardOptions = {
    ensureOpen,
    onError,
    ...(accessLog === undefined
      ? {}
      : {
          onAnswer: ({ view, status, tenant, startedAt }) =>
            accessLog.add(tenant, view.method, view.target, status, performance.now() - startedAt),
        }),
  }
  const app: App = {
    key: spec.key,
    baseUrl: spec.baseUrl,
    hipchat: addonOptions =>
      withAdapters(
        add('hipchat', () => createHipchatAddon({ ...addonOptions, insecureHosts: developmentHosts }, deps)),
        gate,
        guardOptions,
      ),
    connect: addonOptions =>
      withAdapters(
        add('connect', () => createConnectAddon({ ...addonOptions, insecureHosts: developmentHosts }, connectPorts)),
        gate,
        guardOptions,
      ),
    async forge(forgeOptions) {
      ensureOpen()
      if (forge === undefined) {
        const opening = openForge()
        forge = opening
        // Nothing of it is there: another try may do better.
        opening.catch(() => {
          forge = undefined
        })
        const { routes: webTriggers } = await opening
        add('forge', () => ({ key: spec.key, routes: webTriggers, freeze: () => undefined }))
      }
      return (await forge).add(forgeOptions)
    },
    job: (name, handler) => handlers.set(`app:${spec.key}:${spec.environment}:${name}`, handler),
    jobs: namedJobs(jobs, `app:${spec.key}:${spec.environment}`),
    deliveries: inbox,
    deadLetters: createDeadLetters(database.app, () => dispatcher.lookSoon()),
    sql: createTenantSql(database),
    async setEnabled(installation, enabled) {
      const kind = enabled ? 'enable' : 'disable'
      const key = keyOf(installation)
      const change = await registry.apply({ kind, key, at: clock.now(), isOrderedByArrival: true, reason: 'operator' })
      if (change.outcome === 'unknown') throw new PartywallError('ERR_INSTALLATION_UNKNOWN')
      await change.settled()
    },
    async runAs(installation, work) {
      const identity = await registry.find(keyOf(installation))
      if (identity === undefined) throw new PartywallError('ERR_TENANT_UNKNOWN')
      return binder.run(identity, work)
    },
    async ready() {
      await database.system.query(READY, [])
    },
    handle(view) {
      ensureOpen()
      const startedAt = accessLog === undefined ? 0 : performance.now()
      const answer = serve().handle(view)
      if (answer instanceof Promise) requests.track(answer)
      if (answer === undefined || accessLog === undefined) return answer
      const note = (made: Answer): Answer => {
        accessLog.add(made.tenant, view.method, view.target, made.status, performance.now() - startedAt)
        return made
      }
      return answer instanceof Promise ? answer.then(note) : note(answer)
    },
    close(graceMs = 5000) {
      closing ??= closeAll(graceMs)
      return closing
    },
  }
  return app

  async function closeAll(graceMs: number): Promise<void> {
    loop.stop()
    // Contexts of requests behind a framework's own routes are not in `requests`; the binder knows them all.
    const areRequestsDone = () => requests.count === 0 && binder.running === 0
    const sweep = within(graceMs, Promise.all([retention.close(), farewells.close()]))
    await Promise.all([sweep, dispatcher.close(graceMs), untilIdle(areRequestsDone, graceMs)])
    await (await forge)?.close()
    binder.close()
    accessLog?.flush()
    // A store or host that does not answer is not waited for.
    await within(PARTING_MS, Promise.all([registry.close(), outbound.close()]))
    await database.close()
  }
}

/** What the app needs to know of an add-on of any dialect. */
interface Addon {
  readonly key: string
  readonly routes: readonly Route[]
  freeze(): void
}

/** The add-on as adapters see it: its guard behind the gate and in the log, and Koa's as a method. The dialects know none. */
function withAdapters<P extends object, A extends Guarding<P>>(
  addon: A & Guarding<P>,
  gate: FloodGate,
  options: AppGuardOptions,
): A & { authenticate(options?: GuardOptions): KoaMiddleware } {
  const guard = (which?: GuardOptions): Guard<P> => createAppGuard(gate.protectGuard(addon.guard(which)), options)
  const methods = { guard, authenticate: (which?: GuardOptions) => authenticate(methods, which) }
  const { guard: _, ...rest } = Object.getOwnPropertyDescriptors(addon)
  return Object.defineProperties(methods, rest) as unknown as A & {
    authenticate(options?: GuardOptions): KoaMiddleware
  }
}

/** Handlers of an app's jobs are named within the app, so that apps on one database never run each other's. */
const namedJobs = (jobs: Jobs, prefix: string): Jobs => ({
  enqueue: (context, job) => jobs.enqueue(context, { ...job, handler: `${prefix}:${job.handler}` }),
  schedule: (context, schedule) => jobs.schedule(context, { ...schedule, handler: `${prefix}:${schedule.handler}` }),
  unschedule: (context, name) => jobs.unschedule(context, name),
})

function tenantLimitsOf(limits: AppOptions['limits'] = {}) {
  const { inFlight, perSecond, burst } = limits
  return Object.fromEntries(Object.entries({ inFlight, perSecond, burst }).filter(([, value]) => value !== undefined))
}
