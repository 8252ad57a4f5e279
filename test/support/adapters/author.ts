/** What the routes of an add-on's author do, the same behind every framework; and how a framework serves them. */

import type { RequestListener } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import {
  type App,
  currentContext,
  type Guarding,
  type HipchatRequestServices,
  PartywallError,
  type TenantStore,
} from 'partywall'
import type { KoaMiddleware } from 'partywall/koa'

/** A framework of one case list. Routes below `prefix`: `/open` for anybody, `/own/:act` behind the guard, `POST /own/note`. */
export interface Framework {
  readonly name: string
  /** The handlers see the target as it arrived, not what a URL parser made of it. */
  readonly hasRawTarget: boolean
  /** It tells nobody of what handlers throw: the app's own log must. */
  readonly isSilent: boolean
  build(setup: FrameworkSetup): RequestListener | Promise<RequestListener>
}
export interface FrameworkSetup {
  readonly app: App
  readonly addon: AuthorAddon
  readonly author: Author
  /** `/base`, as the public address has it. */
  readonly prefix: string
}

/** What the author uses of a context: it is the same in every dialect. */
export interface AuthorServices {
  readonly tenant: { readonly id: string }
  readonly authentication: Pick<HipchatRequestServices['authentication'], 'userId' | 'token'>
  readonly tenantStore: TenantStore
}
/** An add-on of any dialect, as adapters take it. */
export interface AuthorAddon extends Guarding<AuthorServices> {
  authenticate(): KoaMiddleware
}

/** What a route wants to be answered: `stream` as the framework streams. */
export type Made =
  | { readonly kind: 'json'; readonly value: object; readonly headers: Readonly<Record<string, string>> }
  | { readonly kind: 'stream'; readonly chunks: AsyncIterable<string> }

export interface Author {
  /** Throws at once or later, as the name says. */
  act(name: string, services: AuthorServices): Made | Promise<Made>
  /** Writes what the framework's own parser has read, in the store of the tenant. */
  note(body: unknown, services: AuthorServices): Promise<Made>
  /** How many requests wait. */
  readonly waiting: number
  /** Lets those that `hold` go on. */
  open(): void
}

export const OPEN_TEXT = 'open to anybody'
/** In every error the author throws; no answer may show it. */
export const INNER_WORDS = 'inner words of /srv/app.js'

export function createAuthor(): Author {
  const holding: (() => void)[] = []
  const acts: Readonly<Record<string, (services: AuthorServices) => Made | Promise<Made>>> = {
    whoami: services => json({ ...factsOf(services), bound: bound() }),
    token: services => json({ token: services.authentication.token }),
    noted: async services => json({ note: (await services.tenantStore.get('note')) ?? null }),
    timers: async services => {
      await delay(2)
      await new Promise(resolve => setImmediate(resolve))
      return json({ ...factsOf(services), bound: bound() })
    },
    public: () => json({}, { 'cache-control': 'public, max-age=60' }),
    browser: () => json({}, { 'cache-control': 'private, max-age=60' }),
    framed: () => json({}, { 'content-security-policy': 'frame-ancestors https://partner.example' }),
    stream: () => ({ kind: 'stream', chunks: boundChunks(5) }),
    late: () => ({ kind: 'stream', chunks: boundChunks(3, new Error(INNER_WORDS)) }),
    sync: () => {
      throw new Error(INNER_WORDS)
    },
    async: async () => {
      await delay(1)
      throw new Error(INNER_WORDS)
    },
    coded: async () => {
      throw new PartywallError('ERR_VERSION_CONFLICT', { message: INNER_WORDS })
    },
    nothing: () => {
      throw undefined
    },
    hold: async () => {
      await new Promise<void>(resolve => holding.push(resolve))
      return json({ made: 'while it held' })
    },
  }
  return {
    act(name, services) {
      const act = acts[name]
      if (act === undefined) throw new PartywallError('ERR_NOT_FOUND')
      return act(services)
    },
    async note(body, services) {
      const { text } = body as { readonly text: string }
      await services.tenantStore.set('note', text)
      return json({ note: await services.tenantStore.get('note'), bound: bound() })
    },
    get waiting() {
      return holding.length
    },
    open() {
      for (const go of holding.splice(0)) go()
    },
  }
}

const json = (value: object, headers: Readonly<Record<string, string>> = {}): Made => ({ kind: 'json', value, headers })

const bound = (): string => currentContext().identity.externalId

const factsOf = ({ tenant, authentication }: AuthorServices) => ({
  tenant: tenant.id,
  user: authentication.userId,
})

/** Each chunk names the tenant that is bound when it is asked for, and when it is made. */
async function* boundChunks(count: number, end?: Error): AsyncGenerator<string> {
  for (let index = 0; index < count; index++) {
    const before = bound()
    await delay(2)
    yield `${before} ${bound()}\n`
  }
  if (end !== undefined) throw end
}
