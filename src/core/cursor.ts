/**
 * Cursors of `list`: where a page ended, sealed so that only the same tenant, space, scope and prefix can go on from it.
 *
 * A cursor is base64url of a 16-byte MAC and the last key. The key of the MAC is derived per tenant, and the place is part
 * of what it covers, so a cursor of another tenant or another query, an edited or an invented one fails alike.
 */

import { createHmac, timingSafeEqual } from 'node:crypto'
import { PartywallError } from './errors.ts'
import type { TenantUid } from './ids.ts'
import { MAX_NAME_BYTES } from './scope-encoding.ts'

/** What a cursor is bound to. `scope` is the encoded path. */
export interface CursorPlace {
  readonly tenant: TenantUid
  readonly space: string
  readonly scope: string
  readonly prefix: string
}

const MAC_BYTES = 16

/**
 * Seals the last key of a page.
 *
 * @param cursorKey  32 secret bytes, the same in every process that serves the app
 * @param lastKey    the key after which the next page begins
 * @returns base64url text, at most 1,387 characters
 */
export function sealCursor(cursorKey: Buffer, place: CursorPlace, lastKey: string): string {
  const key = Buffer.from(lastKey)
  return Buffer.concat([macOf(cursorKey, place, key), key]).toString('base64url')
}

/**
 * The last key inside a cursor that was sealed for this very place.
 * @param maxBytes  longest key there can be
 * @throws ERR_CURSOR_INVALID for every other text, whatever is wrong with it
 */
export function openCursor(
  cursorKey: Buffer,
  place: CursorPlace,
  cursor: unknown,
  maxBytes: number = MAX_NAME_BYTES,
): string {
  const maxLength = Math.ceil(((MAC_BYTES + maxBytes) * 4) / 3)
  if (typeof cursor !== 'string' || cursor.length > maxLength) throw new PartywallError('ERR_CURSOR_INVALID')
  const bytes = Buffer.from(cursor, 'base64url')
  // Node's decoder skips what it does not know; one cursor has one spelling.
  if (bytes.length <= MAC_BYTES || bytes.toString('base64url') !== cursor)
    throw new PartywallError('ERR_CURSOR_INVALID')
  const key = bytes.subarray(MAC_BYTES)
  if (!timingSafeEqual(bytes.subarray(0, MAC_BYTES), macOf(cursorKey, place, key))) {
    throw new PartywallError('ERR_CURSOR_INVALID')
  }
  return key.toString('utf8')
}

function macOf(cursorKey: Buffer, place: CursorPlace, key: Buffer): Buffer {
  const tenantKey = createHmac('sha256', cursorKey).update(`partywall store cursor 1\n${place.tenant}`).digest()
  const mac = createHmac('sha256', tenantKey)
  for (const field of [place.space, place.scope, place.prefix]) {
    // Lengths first: no text can move from one field into the next.
    mac.update(`${Buffer.byteLength(field)}:`).update(field)
  }
  return mac.update(key).digest().subarray(0, MAC_BYTES)
}
