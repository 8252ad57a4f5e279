/**
 * The light view of a request and the answer to it: what every adapter builds and writes, and all that dialects see.
 * Types only; nothing here reads a socket.
 */

export interface RequestView {
  /** Upper-case, as received. */
  readonly method: string
  /** Raw request target as received, path and query, before any router rewrote it. */
  readonly target: string
  readonly remoteAddress: string | undefined
  /** Value of a header by lower-case name; repeated ones joined by `, `. */
  header(name: string): string | undefined
  /** Every value of a header by lower-case name, in the order of arrival. */
  headerValues(name: string): readonly string[]
  /** Names of all headers, in lower case, each once. */
  headerNames(): readonly string[]
  /**
   * The raw bytes, read once and kept.
   * @throws ERR_BODY_TOO_LARGE, ERR_BODY_TIMEOUT, ERR_CONTENT_ENCODING, ERR_BODY_CONSUMED
   */
  body(maxBytes?: number): Promise<Buffer>
}

export interface Answer {
  readonly status: number
  /** Flat list name, value, name, value: made once where possible. */
  readonly headers: readonly string[]
  readonly body: string | Buffer | undefined
  /** Id of the proved tenant, for the access log alone; never sent. */
  readonly tenant?: string
}

/**
 * One of our own routes. `path` starts with `/`; a segment `:name` matches one non-empty segment, percent-decoded; `*` as the last
 * segment matches whatever follows, also nothing.
 */
export interface Route {
  /** Upper-case; `*`: every method, and then the path has no other route. */
  readonly method: string
  readonly path: string
  readonly handle: (request: RoutedRequest) => Answer | Promise<Answer>
  /** True for what anybody may see and caches may keep (descriptor, logo). Left out: no-store and its companions are added. */
  readonly isPublic?: boolean
  /** Flat list, on every answer of the route, refusals included. */
  readonly headers?: readonly string[]
}

export interface RoutedRequest {
  readonly view: RequestView
  /** Path below the base URL, without query. */
  readonly path: string
  /** Raw query without `?`. */
  readonly query: string
  readonly params: Readonly<Record<string, string>>
}

/** A request whose tenant is proved: what an adapter attaches and how it runs the rest of its chain. */
export interface Guarded<Properties extends object = Readonly<Record<string, unknown>>> {
  /** For the framework's context: tenant, authentication, tenantStore, tenantClient, roomClient, tenantWebhooks ... */
  readonly properties: Properties
  /** Id of the proved tenant, for the request log alone. */
  readonly tenant?: string | undefined
  /** Runs work inside the tenant's context: the handler chain, and what events and streams call of it later. */
  run<T>(work: () => T): T
  /** Called when the handlers have run: an installation that ended meanwhile gets no answer. @throws ERR_TENANT_REVOKED */
  ensureLive(): void | Promise<void>
  /** Response headers this request needs, asked for after the handler ran: a refreshed token. */
  headers(): readonly string[]
  /** Response headers a page should have unless the app says otherwise; set before the handlers run, where they are missing. */
  readonly pageHeaders?: readonly string[] | undefined
  /** Tells the app's log of an error of the handlers, where no framework does. */
  report?(error: unknown): void
  /**
   * Ends the context; called when the response is finished or broken. Safe to call twice.
   * @param status  of the response as far as it got, for the request log
   */
  release(status?: number): void
}
/** Proves the tenant of a request or throws a PartywallError. */
export type Guard<Properties extends object = Readonly<Record<string, unknown>>> = (
  view: RequestView,
) => Guarded<Properties> | Promise<Guarded<Properties>>
/** What `authenticate` of every adapter takes: an add-on. */
export interface Guarding<Properties extends object> {
  guard(options?: GuardOptions): Guard<Properties>
}
export interface GuardOptions {
  /**
   * Which tokens the routes take, where a protocol has several kinds: `request`, made for one address (default), or `context`, which
   * the app's own pages send. HipChat has one kind.
   */
  readonly token?: 'request' | 'context'
}
/** An app as adapters see it: answers its own routes, `undefined` for any other path. */
export interface Mountable {
  handle(view: RequestView): Answer | Promise<Answer> | undefined
  /** Whether `handle` would answer this path, without doing any work. Left out: not known. */
  owns?(view: RequestView): boolean
}
