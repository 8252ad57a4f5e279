// A small world around one add-on: ports in memory, time that stands still, a remote host that does as it is told. The state
// machine, the binder, the tokens and the router are the real ones.
import { createHash, randomBytes } from 'node:crypto'
import { createBinder } from '../../../../src/core/bind.ts'
import type { DialectDeps } from '../../../../src/core/dialect.ts'
import { PartywallError } from '../../../../src/core/errors.ts'
import { newRowId } from '../../../../src/core/ids.ts'
import type { Logger, Outbound, OutboundRequest, OutboundResponse, StoredToken } from '../../../../src/core/ports.ts'
import type { JsonValue } from '../../../../src/core/tenant.ts'
import { createTokens } from '../../../../src/core/tokens.ts'
import { createHipchatAddon, type HipchatAddon } from '../../../../src/dialects/hipchat/addon.ts'
import type { HipchatAddonOptions } from '../../../../src/dialects/hipchat/options.ts'
import { createRouter } from '../../../../src/http/router.ts'
import type { Answer, RequestView } from '../../../../src/http/view.ts'
import { createFarewells } from '../../../../src/jobs/farewells.ts'
import { createHandlerTable } from '../../../../src/jobs/handlers.ts'
import { signHs256 } from '../../../../src/wire/jws.ts'
import { createFarewellTable, createInbox, createRegistry, createStore } from './memory-ports.ts'

export const HOST = 'https://host.example'
export const CAPABILITIES = `${HOST}/v2/capabilities`
export const DEFAULTS: HipchatAddonOptions = {
  name: 'Greeter',
  scopes: ['send_notification', 'admin_room', 'view_group'],
  hosts: ['host.example', 'other.example'],
}

const ignore = () => undefined
const SILENT: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore }

export interface Client {
  secret: string
  group: number
}

/** What a test wants the host to do instead of what it does by itself. */
export type Interception = (
  request: OutboundRequest,
) => OutboundResponse | undefined | Promise<OutboundResponse | undefined>

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

export function createWorld(
  options: Partial<HipchatAddonOptions> = {},
  build: (addon: HipchatAddon) => void = ignore,
  environment = 'test',
) {
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
  const handlers = createHandlerTable()
  const inbox = createInbox(handlers, registry, binder)
  const stores = new Map<string, Map<string, JsonValue>>()
  const erased: string[] = []
  const deps: DialectDeps = {
    app: { key: 'com.example.greeter', environment, baseUrl: 'https://greeter.example' },
    registry,
    binder,
    tokens,
    outbound,
    inbox,
    jobs: { enqueue: unused, schedule: unused, unschedule: unused },
    handlers,
    farewells: createFarewells({
      table: createFarewellTable(registry),
      registry,
      binder,
      handlers,
      inbox,
      logger: SILENT,
      handlerTimeoutMs: 1_000,
    }),
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
    identity: (id: string) => registry.find({ app: addon.key, environment, dialect: 'hipchat', externalId: id }),
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
    headerNames: () => [],
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
  if (url.pathname !== '/v2/oauth/token') {
    // One document that is a room, a person, a list and a session.
    return request.method === 'GET' ? answer(200, { id: 5, name: 'Den', items: [] }) : answer(204)
  }
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

async function unused(): Promise<never> {
  throw new Error('not part of these tests')
}
