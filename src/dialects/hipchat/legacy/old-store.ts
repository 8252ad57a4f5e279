/**
 * The stores of the ac-koa-hipchat family (protocol B3): how their keys are laid out, and what a reader of one has to give.
 *
 * Keys were joined by `:` without escaping, so a key alone does not say where the tenant's id ends. The rule here: ids are those
 * of tenant records, values under `...:tenant:<id>` that name this very id; the longest one that fits owns the key.
 */

import * as z from 'zod'
import { type ErrorCode, PartywallError } from '../../../core/errors.ts'

/** Reads an old store. What it gives is data of whoever wrote it, and is checked. */
export interface OldStoreSource {
  /** Every key that begins with `prefix`, in pages; a key may come twice. @throws PartywallError ERR_IMPORT_SOURCE */
  keys(prefix: string): AsyncIterable<readonly string[]>
  /** In the order of `keys`; `undefined` for one that is gone. @throws PartywallError ERR_IMPORT_SOURCE */
  read(keys: readonly string[]): Promise<readonly (OldValue | undefined)[]>
}

export type OldValue =
  /** JSON text, and milliseconds until it expires. */
  | { readonly text: string; readonly ttlMs?: number | undefined }
  /** Why it cannot be taken along. */
  | { readonly code: Extract<ErrorCode, 'ERR_VALUE_TOO_LARGE' | 'ERR_VALUE_INVALID'> }

const recordShape = z.object({
  id: z.string(),
  secret: z.string(),
  group: z.number(),
  room: z.number().nullish(),
  links: z.object({ capabilities: z.string(), base: z.string(), api: z.string(), token: z.string() }),
})
/** A tenant record; nothing in it is trusted. */
export type OldTenant = z.output<typeof recordShape>

const webhookShape = z.object({ name: z.string(), event: z.string(), pattern: z.string().nullish(), id: z.number() })
export type OldWebhook = z.output<typeof webhookShape>

/** Prefix of everything that belongs to tenants of an add-on. @param scope of `app.addon(scope)`, none for the only add-on */
export const tenantPrefix = (scope: string | undefined): string =>
  scope === undefined ? 'ack:tenant:' : `ack:${scope}:tenant:`

/** Whether a value is the tenant record of the id its key ends with, be the rest of it right or not. */
export const isRecordOf = (id: string, value: unknown): boolean =>
  typeof value === 'object' && value !== null && 'id' in value && value.id === id

/** @throws PartywallError ERR_INSTALL_INVALID with the path that is wrong, never its value */
export function readOldTenant(value: unknown): OldTenant {
  const read = recordShape.safeParse(value)
  if (read.success) return read.data
  throw new PartywallError('ERR_INSTALL_INVALID', { details: { path: read.error.issues[0]?.path.join('.') } })
}

/** @throws PartywallError ERR_VALUE_INVALID */
export function readOldWebhook(value: unknown): OldWebhook {
  const read = webhookShape.safeParse(value)
  if (read.success) return read.data
  throw new PartywallError('ERR_VALUE_INVALID')
}

export type OldPlace =
  | { readonly kind: 'data' | 'webhook'; readonly id: string; readonly key: string }
  /** The record itself, cached tokens, and what the layout does not know. */
  | { readonly kind: 'record' | 'token' | 'unknown'; readonly id: string }
  | { readonly kind: 'orphan' }

/** @param rest  a key without its prefix */
export function placeOf(rest: string, ids: { has(id: string): boolean }): OldPlace {
  for (let end = rest.length; end > 0; end = rest.lastIndexOf(':', end - 1)) {
    const id = rest.slice(0, end)
    if (ids.has(id)) return inTenant(id, rest.slice(end))
  }
  return { kind: 'orphan' }
}

function inTenant(id: string, tail: string): OldPlace {
  if (tail === '') return { kind: 'record', id }
  const [, kind, key = ''] = /^:(data|webhook|token):([\s\S]*)$/.exec(tail) ?? []
  if (kind === 'data' || kind === 'webhook') return { kind, id, key }
  return { kind: kind === 'token' ? 'token' : 'unknown', id }
}
