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
}

/** One of our own routes. `path` starts with `/`; a segment `:name` matches one non-empty segment, percent-decoded. */
export interface Route {
  readonly method: string
  readonly path: string
  readonly handle: (request: RoutedRequest) => Answer | Promise<Answer>
}

export interface RoutedRequest {
  readonly view: RequestView
  /** Path below the base URL, without query. */
  readonly path: string
  /** Raw query without `?`. */
  readonly query: string
  readonly params: Readonly<Record<string, string>>
}
