/**
 * Secrets at rest: AES-256-GCM boxes under a data key per tenant, which a key-encryption key outside the database wraps.
 *
 * Every box is bound to what it is and where it belongs: moved to another tenant, identity, field or version it does not
 * open. Deleting a tenant's wrapped data key shreds its boxes, also those in backups. Nothing here runs SQL.
 */

import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { PartywallError } from '../core/errors.ts'
import type { IdentityUid, TenantUid } from '../core/ids.ts'
import type { KeyProvider } from '../core/ports.ts'
import { injective } from './registry-injective.ts'

const FORMAT = 1
const NONCE_BYTES = 12
const TAG_BYTES = 16
export const KEY_BYTES = 32

/** A data key as the database holds it. */
export interface WrappedKey {
  readonly kekId: string
  readonly wrapped: Buffer
}

/** What a box holds and where it belongs. */
export type BoxPlace =
  | {
      readonly kind: 'secret'
      readonly tenant: TenantUid
      readonly identity: IdentityUid
      readonly name: string
      readonly version: number
    }
  | {
      readonly kind: 'token'
      readonly tenant: TenantUid
      readonly identity: IdentityUid
      readonly tokenKey: string
      readonly secretVersion: number
    }
  | { readonly kind: 'forge-secret'; readonly tenant: TenantUid; readonly key: string }

/** Data keys of tenants: made, unwrapped (kept in memory for a while), wrapped anew. */
export interface DataKeys {
  create(tenant: TenantUid): WrappedKey & { readonly key: Buffer }
  /** @throws ERR_KEY_UNKNOWN wrapped by a key that is not configured; ERR_SEAL_BROKEN */
  open(tenant: TenantUid, wrapped: WrappedKey): Buffer
  /** The same key under the current key-encryption key; `undefined` when it is already. @throws as `open` */
  rewrap(tenant: TenantUid, wrapped: WrappedKey): WrappedKey | undefined
  /** Forgets the unwrapped key. */
  forget(tenant: TenantUid): void
}

export interface DataKeysOptions {
  readonly keys: KeyProvider
  /** Unwrapped keys kept in memory; default 100,000. */
  readonly maxEntries?: number
  /** How long an unwrapped key is kept, at most and by default 5 minutes. */
  readonly ttlMs?: number
}

const MAX_TTL_MS = 5 * 60_000

export function createDataKeys({ keys, maxEntries = 100_000, ttlMs = MAX_TTL_MS }: DataKeysOptions): DataKeys {
  // The cache's clock is the monotonic one.
  const opened = new LRUCache<TenantUid, { readonly wrapped: Buffer; readonly key: Buffer }>({
    max: maxEntries,
    ttl: Math.min(ttlMs, MAX_TTL_MS),
  })

  const wrap = (tenant: TenantUid, key: Buffer): WrappedKey => {
    const { id, key: kek } = keys.current
    return { kekId: id, wrapped: seal(kek, key, wrapPlace(tenant, id)) }
  }

  const open = (tenant: TenantUid, { kekId, wrapped }: WrappedKey): Buffer => {
    const known = opened.get(tenant)
    if (known?.wrapped.equals(wrapped) === true) return known.key
    const kek = keys.find(kekId)
    if (kek === undefined) {
      throw new PartywallError('ERR_KEY_UNKNOWN', {
        message: `a data key is wrapped by the key "${kekId}", which is not configured; list it in PARTYWALL_KEYS`,
        details: { keyId: kekId },
      })
    }
    const key = unseal(kek, wrapped, wrapPlace(tenant, kekId))
    if (key.length !== KEY_BYTES) throw broken()
    opened.set(tenant, { wrapped, key })
    return key
  }

  return {
    create(tenant) {
      const key = randomBytes(KEY_BYTES)
      return { ...wrap(tenant, key), key }
    },
    open,
    rewrap: (tenant, wrapped) => (wrapped.kekId === keys.current.id ? undefined : wrap(tenant, open(tenant, wrapped))),
    forget: tenant => {
      opened.delete(tenant)
    },
  }
}

export const sealBox = (dataKey: Buffer, place: BoxPlace, text: string): Buffer =>
  seal(dataKey, Buffer.from(text, 'utf8'), boxPlace(place))

/** @throws ERR_SEAL_BROKEN when the box was changed, moved, or sealed under another key */
export const openBox = (dataKey: Buffer, place: BoxPlace, box: Buffer): string =>
  unseal(dataKey, box, boxPlace(place)).toString('utf8')

/** The key of an identity's session tokens; another one after each change of the shared secret. 32 bytes. */
export const sessionKeyOf = (dataKey: Buffer, identity: IdentityUid, secretVersion: number): Buffer =>
  derive(dataKey, injective('session', identity, String(secretVersion)))

const derive = (dataKey: Buffer, info: string): Buffer =>
  Buffer.from(hkdfSync('sha256', dataKey, '', `partywall/${info}`, KEY_BYTES))

const wrapPlace = (tenant: TenantUid, kekId: string): string => injective('data-key', tenant, kekId)

function boxPlace(place: BoxPlace): string {
  switch (place.kind) {
    case 'secret':
      return injective('secret', place.tenant, place.identity, place.name, String(place.version))
    case 'token':
      return injective('token', place.tenant, place.identity, place.tokenKey, String(place.secretVersion))
    case 'forge-secret':
      return injective('forge-secret', place.tenant, place.key)
  }
}

/** Format, nonce, ciphertext, tag. */
function seal(key: Buffer, plain: Buffer, place: string): Buffer {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(Buffer.from(place, 'utf8'))
  const body = cipher.update(plain)
  return Buffer.concat([Buffer.of(FORMAT), nonce, body, cipher.final(), cipher.getAuthTag()])
}

function unseal(key: Buffer, box: Buffer, place: string): Buffer {
  if (box[0] !== FORMAT || box.length < 1 + NONCE_BYTES + TAG_BYTES) throw broken()
  const decipher = createDecipheriv('aes-256-gcm', key, box.subarray(1, 1 + NONCE_BYTES), { authTagLength: TAG_BYTES })
  decipher.setAAD(Buffer.from(place, 'utf8'))
  decipher.setAuthTag(box.subarray(-TAG_BYTES))
  try {
    const body = decipher.update(box.subarray(1 + NONCE_BYTES, -TAG_BYTES))
    return Buffer.concat([body, decipher.final()])
  } catch (cause) {
    throw broken(cause)
  }
}

const broken = (cause?: unknown): PartywallError =>
  new PartywallError('ERR_SEAL_BROKEN', {
    message: 'a sealed value cannot be opened: it was changed, moved, or sealed under another key',
    cause,
  })
