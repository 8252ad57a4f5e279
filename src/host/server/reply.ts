/** A call as handlers see it, and what they answer. Types only. */

import type { Installation } from '../clients/installation.ts'

/** @typeParam Owner whose credentials a call came with: an installation of this kind of host */
export interface Call<Owner = Installation> {
  readonly method: string
  /** Path and query as received. */
  readonly target: string
  /** Segments of the path that the route names, percent-decoded. */
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  /** By lower-case name. */
  header(name: string): string | undefined
  readonly body: Buffer
  /** Filled by the handler once it knows whose credentials these are; for faults and hooks. */
  installation: Owner | undefined
}

export interface Reply {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** Left out, and no `content`: no body. */
  readonly json?: unknown
  /** A body that is not JSON. */
  readonly content?: { readonly type: string; readonly body: string | Buffer }
  /** What a fault does to the connection instead of answering. */
  readonly connection?: 'reset' | 'hang'
}

export interface Route<Owner = Installation> {
  readonly method: string
  /** A segment `:name` matches one non-empty segment. */
  readonly path: string
  /** The path itself carries a secret: listeners see the pattern only. */
  readonly isSecret?: boolean
  readonly handle: (call: Call<Owner>) => Reply | Promise<Reply>
}

export const noContent: Reply = { status: 204 }
