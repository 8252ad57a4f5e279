// Tenants of a Connect app with a product and an authorization server that only write down: registry and stores in memory, time
// that stands still; binder, tokens, outbound client and sockets are the real ones.
import { randomBytes } from 'node:crypto'
import type { TestContext } from 'node:test'
import { createBinder } from '../../../../src/core/bind.ts'
import type { TenantContext } from '../../../../src/core/context.ts'
import type { Logger, StoredToken } from '../../../../src/core/ports.ts'
import type { IdentityRecord, JsonObject, JsonValue } from '../../../../src/core/tenant.ts'
import { createTenantStore } from '../../../../src/core/tenant-store.ts'
import { createTokens } from '../../../../src/core/tokens.ts'
import { createCallPace } from '../../../../src/dialects/connect/call-pace.ts'
import type { ClientDeps } from '../../../../src/dialects/connect/host-api.ts'
import { type ConnectAddonOptions, readConnectOptions } from '../../../../src/dialects/connect/options.ts'
import { identityKey } from '../../../../src/dialects/connect/principal.ts'
import { createTenantClient, type TenantClient } from '../../../../src/dialects/connect/tenant-client.ts'
import { createOutbound } from '../../../../src/http/outbound.ts'
import { createHandlerTable } from '../../../../src/jobs/handlers.ts'
import { decodeJws, hs256Key, type JsonRecord, verifyJws } from '../../../../src/wire/jws.ts'
import { createRegistry } from '../hipchat/memory-ports.ts'
import { createMemoryKv } from './memory-kv.ts'
import { type Recorded, startRecordingServer } from './recording-server.ts'

const ignore = () => undefined
const SILENT: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore }
const APP = { key: 'com.example.notes', environment: 'test', baseUrl: 'https://notes.example' }

export interface Scheduled {
  readonly tenant: string
  readonly name: string
  readonly cron: string
  readonly handler: string
  readonly payload: JsonValue
}

export async function createClientWorld(t: TestContext, options: Partial<ConnectAddonOptions> = {}) {
  const product = await startRecordingServer()
  const server = await startRecordingServer()
  const hosts = [product.hostPort, server.hostPort]
  const outbound = createOutbound({ allowPrivate: hosts, allowHttp: hosts })
  t.after(async () => {
    await outbound.close()
    await Promise.all([product.close(), server.close()])
  })
  const time = { now: 1_700_000_000_000 }
  const clock = { now: () => time.now, monotonic: () => time.now }
  const registry = createRegistry(time)
  const binder = createBinder({ registry, logger: SILENT })
  const rows = new Map<string, StoredToken>()
  const tokens = createTokens({
    store: {
      load: async (_, key) => rows.get(key),
      save: async (_, key, token) => void rows.set(key, token),
      drop: async (_, key) => (key === undefined ? rows.clear() : void rows.delete(key)),
      exclusively: (_identity, _key, _wait, work) => work(),
    },
    clock,
    random: { bytes: randomBytes },
    logger: SILENT,
    isCurrent: identity => registry.isCurrent(identity),
  })
  const waits: number[] = []
  const kv = createMemoryKv()
  const scheduled: Scheduled[] = []
  const unschedule = (tenant: string, name: string): boolean => {
    const at = scheduled.findIndex(one => one.tenant === tenant && one.name === name)
    return at >= 0 && scheduled.splice(at, 1).length > 0
  }
  const settings = readConnectOptions(
    {
      name: 'Notes',
      scopes: ['ADMIN', 'ACT_AS_USER'],
      insecureHosts: hosts,
      authorizationServer: server.origin,
      ...options,
    },
    APP,
  )
  const deps: ClientDeps = {
    app: APP,
    settings,
    registry,
    binder,
    tokens,
    outbound,
    inbox: { accept: unused, bury: unused, idle: unused },
    jobs: {
      enqueue: unused,
      async schedule({ tenantUid }, schedule) {
        unschedule(tenantUid, schedule.name)
        scheduled.push({ tenant: tenantUid, ...schedule })
      },
      unschedule: async ({ tenantUid }, name) => unschedule(tenantUid, name),
    },
    handlers: createHandlerTable(),
    farewells: { complete: unused },
    clock,
    random: { bytes: randomBytes },
    logger: SILENT,
    storeOf: (context, space) => createTenantStore({ context, kv, space, cursorKey: Buffer.alloc(32), clock }),
    eraseIfDue: unused,
    pace: createCallPace(clock, async milliseconds => {
      waits.push(milliseconds)
      time.now += milliseconds
    }),
  }
  const find = async (clientKey: string): Promise<IdentityRecord> => {
    const identity = await registry.find(identityKey(settings, clientKey))
    if (identity === undefined) throw new Error(`${clientKey} is not installed`)
    return identity
  }
  const run = async <T>(clientKey: string, work: (context: TenantContext) => T | Promise<T>): Promise<T> =>
    binder.run(await find(clientKey), work)
  return {
    product,
    server,
    time,
    registry,
    settings,
    deps,
    waits,
    kv,
    scheduled,
    find,
    run,
    /** Runs `work` with the client of a tenant. */
    call: <T>(clientKey: string, work: (client: TenantClient, context: TenantContext) => Promise<T>): Promise<T> =>
      run(clientKey, context => work(createTenantClient(context, deps), context)),
    async install(clientKey: string, attributes: JsonObject = {}, secret = `secret-of-${clientKey}`): Promise<void> {
      time.now += 1000
      await registry.apply({
        kind: 'install',
        key: identityKey(settings, clientKey),
        at: time.now,
        reason: 'install',
        host: 'atlassian.net',
        secrets: { secret },
        attributes: {
          baseUrl: `${product.origin}/wiki`,
          displayUrl: product.origin,
          productType: 'confluence',
          oauthClientId: `oauth-${clientKey}`,
          ...attributes,
        },
        state: 'installed',
      })
    },
    async uninstall(clientKey: string): Promise<void> {
      time.now += 1000
      await registry.apply({
        kind: 'uninstall',
        key: identityKey(settings, clientKey),
        at: time.now,
        reason: 'uninstall',
      })
    },
  }
}
export type ClientWorld = Awaited<ReturnType<typeof createClientWorld>>

/** The claims of a `JWT` header, its signature checked. */
export function claimsOf(call: Recorded | undefined, secret: string): JsonRecord {
  const [scheme, token = ''] = String(call?.headers.authorization).split(' ')
  if (scheme !== 'JWT') throw new Error(`JWT expected, not ${scheme}`)
  return verified(token, secret)
}

export function verified(token: string, secret: string): JsonRecord {
  const jws = decodeJws(token)
  verifyJws(jws, { algorithm: 'HS256', key: hs256Key(secret) })
  return jws.claims
}

async function unused(): Promise<never> {
  throw new Error('not part of these tests')
}
