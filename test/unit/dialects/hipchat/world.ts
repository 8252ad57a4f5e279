// A small world around one add-on: ports in memory, time that stands still, a remote host that does as it is told. The state
// machine, the binder, the tokens and the router are the real ones.
import { createHash, randomBytes } from 'node:crypto'
import { createBinder } from '../../../../src/core/bind.ts'
import type { DialectDeps } from '../../../../src/core/dialect.ts'
import { PartywallError } from '../../../../src/core/errors.ts'
import { newIdentityUid, newRowId, newTenantUid } from '../../../../src/core/ids.ts'
import { decide } from '../../../../src/core/lifecycle.ts'
import type {
  ChangeResult,
  Delivery,
  Inbox,
  Logger,
  Outbound,
  OutboundRequest,
  OutboundResponse,
  Registry,
  StoredToken,
  TenantChange,
  WorkHandler,
} from '../../../../src/core/ports.ts'
import type { TenantStore } from '../../../../src/core/store.ts'
import { type IdentityKey, type IdentityRecord, IdentitySecrets, type JsonValue } from '../../../../src/core/tenant.ts'
import { createTokens } from '../../../../src/core/tokens.ts'
import { createHipchatAddon, type HipchatAddon } from '../../../../src/dialects/hipchat/addon.ts'
import type { HipchatAddonOptions } from '../../../../src/dialects/hipchat/options.ts'
import { createRouter } from '../../../../src/http/router.ts'
import type { Answer, RequestView } from '../../../../src/http/view.ts'
import { signHs256 } from '../../../../src/wire/jws.ts'

export const HOST = 'https://host.example'
export const CAPABILITIES = `${HOST}/v2/capabilities`
export const DEFAULTS: HipchatAddonOptions = {
  name: 'Greeter',
  scopes: ['send_notification', 'admin_room', 'view_group'],
  hosts: ['host.example', 'other.example'],
}

const ignore = () => undefined
const SILENT: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore }
const nameOf = (key: IdentityKey) => JSON.stringify([key.app, key.environment, key.dialect, key.externalId])

export interface Client {
  secret: string
  group: number
}

/** What a test wants the host to do instead of what it does by itself. */
export type Interception = (request: OutboundRequest) => OutboundResponse | Promise<OutboundResponse> | undefined

export function answer(status: number, value?: unknown, headers: Record<string, string> = {}): OutboundResponse {
  return { status, headers, body: Buffer.from(value === undefined ? '' : JSON.stringify(value)) }
}

export const capabilitiesOf = (origin: string) => ({
  links: { self: `${origin}/v2/capabilities`, api: `${origin}/v2`, homepage: origin },
  capabilities: {
    oauth2Provider: { tokenUrl: `${origin}/v2/oauth/token` },
    hipchatApiProvider: { url: `${origin}/v2/` },
  },
})

export function createWorld(options: Partial<HipchatAddonOptions> = {}, build: (addon: HipchatAddon) => void = ignore) {
  const time = { now: 1_700_000_000_000 }
  const clock = { now: () => time.now, monotonic: () => time.now }
  const clients = new Map<string, Client>()
  const calls: OutboundRequest[] = []
  const world = { intercept: undefined as Interception | undefined }
  const outbound: Outbound = {
    async request(request) {
      calls.push(request)
      const url = new URL(request.url)
      if (!request.allowedOrigins.includes(url.origin)) throw new PartywallError('ERR_OUTBOUND_REFUSED')
      const intercepted = await world.intercept?.(request)
      return intercepted ?? hostAnswer(url, request, clients)
    },
  }
  const registry = createRegistry(time)
  const binder = createBinder({ registry })
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
  const handlers = new Map<string, WorkHandler>()
  const inbox = createInbox(handlers, registry, binder)
  const stores = new Map<string, Map<string, JsonValue>>()
  const erased: string[] = []
  const deps: DialectDeps = {
    app: { key: 'com.example.greeter', environment: 'test', baseUrl: 'https://greeter.example' },
    registry,
    binder,
    tokens,
    outbound,
    inbox,
    jobs: { enqueue: unused, schedule: unused, unschedule: unused },
    handlers: { set: (name, handler) => void handlers.set(name, handler), get: name => handlers.get(name) },
    clock,
    random: { bytes: randomBytes },
    logger: SILENT,
    storeOf: (context, space) => createStore(stores, `${context.tenantUid} ${space}`, () => context.ensureLive()),
    eraseIfDue: async identity => void erased.push(identity.externalId),
  }
  const addon = createHipchatAddon({ ...DEFAULTS, ...options }, deps)
  build(addon)
  let router: ReturnType<typeof createRouter> | undefined
  const unexpected: unknown[] = []
  const request = async (view: RequestView): Promise<Answer> => {
    router ??= createRouter(addon.routes, '', error => unexpected.push(error))
    return (await router.handle(view)) ?? { status: 404, headers: [], body: undefined }
  }

  return Object.assign(world, {
    addon,
    deps,
    registry,
    inbox,
    clients,
    calls,
    time,
    stores,
    erased,
    unexpected,
    request,
    /** Lets the host create a client and sends its installation. */
    async install(id: string, changes: Partial<Client> & { body?: object } = {}): Promise<Answer> {
      const client = { secret: changes.secret ?? `secret-of-${id}`, group: changes.group ?? 7 }
      clients.set(id, client)
      return request(view('POST', '/addon/installable', { body: { ...installBody(id, client), ...changes.body } }))
    },
    uninstall: (id: string) => request(view('DELETE', `/addon/installable/${encodeURIComponent(id)}`)),
    /** A token as the host signs it. */
    sign(id: string, claims: Record<string, unknown> = {}, header: Record<string, unknown> = { typ: 'JWT' }): string {
      const iat = Math.floor(time.now / 1000)
      const all = { iss: id, sub: '42', iat, exp: iat + 3600, jti: newRowId(), ...claims }
      return signHs256(header, JSON.parse(JSON.stringify(all)), clients.get(id)?.secret ?? '')
    },
    identity: (id: string) =>
      registry.find({ app: addon.key, environment: 'test', dialect: 'hipchat', externalId: id }),
    deliver(
      id: string,
      body: object,
      changes: { query?: string; token?: string; client?: string } = {},
    ): Promise<Answer> {
      const token = changes.token ?? this.sign(id)
      return request(
        view('POST', `/addon/webhook${changes.query ?? ''}`, {
          headers: { authorization: `JWT ${token}` },
          body: { oauth_client_id: changes.client ?? id, webhook_id: 1, ...body },
        }),
      )
    },
  })
}
export type World = ReturnType<typeof createWorld>

export const installBody = (id: string, client: Client) => ({
  oauthId: id,
  oauthSecret: client.secret,
  capabilitiesUrl: CAPABILITIES,
  groupId: client.group,
  roomId: 5,
})

export function view(
  method: string,
  target: string,
  options: { headers?: Record<string, string | string[]>; body?: unknown; raw?: Buffer } = {},
): RequestView {
  const raw = options.raw ?? Buffer.from(options.body === undefined ? '' : JSON.stringify(options.body))
  const headers = new Map(Object.entries(options.headers ?? {}))
  if (options.body !== undefined || options.raw !== undefined) headers.set('content-type', 'application/json')
  const valuesOf = (name: string) => [headers.get(name) ?? []].flat()
  return {
    method,
    target,
    remoteAddress: '192.0.2.1',
    header: name => (headers.has(name) ? valuesOf(name).join(', ') : undefined),
    headerValues: valuesOf,
    body: async () => raw,
  }
}

/** A promise that a test resolves. */
export function gate() {
  let open: () => void = ignore
  const promise = new Promise<void>(resolve => {
    open = resolve
  })
  return { promise, open: () => open() }
}

export const errorCode = (made: Answer): string | undefined =>
  made.body === undefined ? undefined : (JSON.parse(String(made.body)).error?.code as string | undefined)

export const message = (text: string, changes: object = {}) => ({
  event: 'room_message',
  item: {
    room: { id: 5, name: 'Den' },
    message: {
      id: 'm1',
      message: text,
      from: { id: 42, name: 'Mina', mention_name: 'mina' },
      type: 'message',
      ...changes,
    },
  },
})

function hostAnswer(url: URL, request: OutboundRequest, clients: ReadonlyMap<string, Client>): OutboundResponse {
  if (url.pathname === '/v2/capabilities') return answer(200, capabilitiesOf(url.origin))
  if (url.pathname !== '/v2/oauth/token') return answer(204)
  const basic = Buffer.from(request.headers?.authorization?.slice(6) ?? '', 'base64').toString()
  const [id = '', secret] = basic.split(':')
  const client = clients.get(id)
  if (client === undefined || client.secret !== secret)
    return answer(401, { error: { code: 401, message: 'Unauthorized' } })
  const scope = new URLSearchParams(String(request.body)).get('scope') ?? ''
  return answer(200, {
    access_token: `token-${createHash('sha256').update(`${id} ${scope}`).digest('hex').slice(0, 10)}`,
    token_type: 'bearer',
    expires_in: 3600,
    scope,
    group_id: client.group,
  })
}

function createRegistry(time: { readonly now: number }) {
  const records = new Map<string, IdentityRecord>()
  const refusals = new Map<string, number>()
  const revoked = new Set<(change: { tenant: never; identity: never; version: number }) => void>()
  const log: string[] = []
  const hooks = {
    beforeApply: async (_change: TenantChange): Promise<void> => undefined,
    cached: undefined as IdentityRecord | undefined,
  }
  const registry: Registry & { log: string[]; records: typeof records; hooks: typeof hooks } = {
    log,
    records,
    hooks,
    find: async key => records.get(nameOf(key)),
    peek: key => (hooks.cached?.externalId === key.externalId ? hooks.cached : records.get(nameOf(key))),
    findFresh: async key => records.get(nameOf(key)),
    findByUid: async (_, uid) => [...records.values()].find(record => record.uid === uid),
    async apply(change): Promise<ChangeResult> {
      await hooks.beforeApply(change)
      const name = nameOf(change.key)
      const present = records.get(name)
      const isSame = change.kind === 'install' && present?.secrets.get('secret') === change.secrets.secret
      const decision = decide(present && { ...present, isRestorable: true, hasSameSecrets: isSame }, change, 'first')
      if (decision.kind === 'conflict') throw new PartywallError('ERR_INSTALL_CONFLICT')
      const settled = async () => void log.push('settled')
      if (decision.kind !== 'create' && decision.kind !== 'change' && decision.kind !== 'restore') {
        if (decision.kind === 'held' || decision.kind === 'replayed') throw new PartywallError('ERR_TENANT_HELD')
        return { outcome: decision.kind, identity: present, settled }
      }
      const next = nextRecord(change, present, decision.kind === 'create' ? 'installed' : decision.state, time.now)
      records.set(name, next)
      log.push(`${change.kind} ${change.reason} committed`)
      if (decision.kind !== 'create' && decision.takesRights) {
        for (const listener of revoked) {
          listener({ tenant: next.tenantUid as never, identity: next.uid as never, version: next.version })
        }
      }
      const outcome = ({ create: 'created', restore: 'restored', change: 'changed' } as const)[decision.kind]
      return { outcome, identity: next, settled }
    },
    async noteRefusal(identity) {
      const first = refusals.get(identity.uid) ?? time.now
      refusals.set(identity.uid, first)
      return time.now - first >= 60_000
    },
    clearRefusal: async identity => void refusals.delete(identity.uid),
    isCurrent: identity => records.get(nameOf(identity))?.version === identity.version,
    onRevoked(listener) {
      revoked.add(listener as never)
      return () => void revoked.delete(listener as never)
    },
    onLapsed: () => ignore,
  }
  return registry
}

function nextRecord(
  change: TenantChange,
  present: IdentityRecord | undefined,
  state: IdentityRecord['state'],
  now: number,
): IdentityRecord {
  const isInstall = change.kind === 'install'
  const kept = ['secret', 'webhookToken'].map(name => [name, present?.secrets.get(name)] as const)
  const fresh = isInstall ? { ...change.initialSecrets, ...definedOf(kept), ...change.secrets } : definedOf(kept)
  const changes = isInstall && present !== undefined && present.secrets.get('secret') !== change.secrets.secret
  const { app, environment, dialect, externalId } = change.key
  return {
    app,
    environment,
    dialect,
    externalId,
    uid: present?.uid ?? newIdentityUid(),
    tenantUid: present?.tenantUid ?? newTenantUid(),
    host: isInstall ? change.host : (present?.host ?? ''),
    state,
    version: (present?.version ?? 0) + 1,
    secretVersion: (present?.secretVersion ?? 1) + (changes ? 1 : 0),
    orderedAt: now,
    attributes: isInstall ? change.attributes : (present?.attributes ?? {}),
    region: 'global',
    hold: 'none',
    secrets: new IdentitySecrets(
      new Map(Object.entries(fresh)),
      createHash('sha256').update(`${present?.uid} ${fresh.secret}`).digest(),
    ),
  }
}

const definedOf = (entries: readonly (readonly [string, string | undefined])[]): Record<string, string> =>
  Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== undefined))

function createInbox(
  handlers: ReadonlyMap<string, WorkHandler>,
  registry: Pick<Registry, 'findByUid'>,
  binder: DialectDeps['binder'],
) {
  const kept = new Map<string, string>()
  const deliveries: Delivery[] = []
  const buried: string[] = []
  const failures: unknown[] = []
  let running: Promise<void>[] = []
  const hooks = { run: true }
  const start = (delivery: Delivery, id: string, identity: IdentityRecord) =>
    binder.run(identity, async context => {
      await handlers.get(delivery.handler)?.(
        { id, payload: JSON.parse(delivery.payload), attempt: 1, signal: context.signal },
        context,
      )
    })
  const inbox: Inbox & {
    deliveries: Delivery[]
    buried: string[]
    failures: unknown[]
    hooks: typeof hooks
    finished(): Promise<void>
    again(delivery: Delivery, identity: IdentityRecord): Promise<void>
  } = {
    deliveries,
    buried,
    failures,
    hooks,
    again: (delivery, identity) => start(delivery, newRowId(), identity),
    async finished() {
      await Promise.all(running)
      running = []
    },
    async accept(context, delivery) {
      const check = context.ensureLive()
      if (check !== undefined) await check
      const keys = [delivery.retryKey, delivery.replayKey].flatMap((key, index) =>
        key === undefined ? [] : [`${context.identity.uid} ${index} ${key.toString('hex')}`],
      )
      const earlier = keys.map(key => kept.get(key)).find(id => id !== undefined)
      if (earlier !== undefined) return { outcome: 'duplicate', id: earlier }
      const id = newRowId()
      for (const key of keys) kept.set(key, id)
      deliveries.push(delivery)
      if (hooks.run) {
        const identity = await registry.findByUid(context.tenantUid, context.identity.uid)
        if (identity) running.push(start(delivery, id, identity).catch(error => void failures.push(error)))
      }
      return { outcome: 'accepted', id }
    },
    bury: async (_, work) => void buried.push(work.handler),
    idle: async () => undefined,
  }
  return inbox
}

function createStore(
  stores: Map<string, Map<string, JsonValue>>,
  name: string,
  check: () => void | Promise<void>,
): TenantStore {
  const rows = stores.get(name) ?? new Map<string, JsonValue>()
  stores.set(name, rows)
  const store = {
    async get(key: string) {
      await check()
      return rows.get(key)
    },
    async set(key: string, value: JsonValue, options?: { ifVersion?: number }) {
      await check()
      if (options?.ifVersion === 0 && rows.has(key)) throw new PartywallError('ERR_VERSION_CONFLICT')
      rows.set(key, value)
      return { version: 1 }
    },
    async del(key: string) {
      await check()
      return rows.delete(key)
    },
  }
  // The dialect itself uses these three; what authors do with a store is tested where the store is.
  return store as unknown as TenantStore
}

async function unused(): Promise<never> {
  throw new Error('not part of these tests')
}
