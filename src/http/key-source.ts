/**
 * Public keys of a host's signatures by key id, fetched from configured key servers and kept for a while.
 *
 * Which servers are asked is configuration, never the token's word. What may not live here: what a key's signature proves.
 */

import { createPublicKey, type KeyObject } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { isPartywallError, PartywallError } from '../core/errors.ts'
import type { Clock, KeySource, Outbound } from '../core/ports.ts'
import { checkWebUrl } from '../core/url.ts'

export interface KeySourceOptions {
  readonly outbound: Outbound
  readonly clock: Clock
  /** Base URLs in the order of asking; a key is looked for at `<base>/<key id>`. */
  readonly servers: readonly string[]
}

const TIMEOUT_MS = 5_000
const MAX_BYTES = 64 * 1024
const MAX_KEYS = 64
const MAX_AGE_MS = 24 * 60 * 60 * 1000
/** How long "nobody knows it" counts: a key that is published now works at once, and a guesser costs one fetch a second. */
const UNKNOWN_MS = 1_000
const MAX_UNKNOWN = 1_024
/** Fetches under way at a time; ids are free to invent, so their number says nothing. */
const MAX_FLIGHTS = 16
const MAX_ID_LENGTH = 256
const KEY_ID = /^[A-Za-z0-9._-]+(?:\/[A-Za-z0-9._-]+)*$/
const MIN_BITS = 2048

interface Kept {
  readonly key: KeyObject
  readonly until: number
}

/**
 * @returns keys in memory for at most 24 hours, 64 of them; one fetch at a time for each id
 * @throws PartywallError ERR_CONFIG for a server that is not an https address (http: development hosts alone, which the outbound client knows)
 */
export function createKeySource({ outbound, clock, servers }: KeySourceOptions): KeySource {
  const bases = servers.map(readBase)
  const keys = new LRUCache<string, Kept>({ max: MAX_KEYS })
  const unknown = new LRUCache<string, number>({ max: MAX_UNKNOWN })
  const flights = new Map<string, Promise<KeyObject | undefined>>()

  async function look(id: string): Promise<KeyObject | undefined> {
    const key = await askAll(bases, id, outbound)
    if (key === undefined) unknown.set(id, clock.monotonic() + UNKNOWN_MS)
    else keys.set(id, { key, until: clock.monotonic() + MAX_AGE_MS })
    return key
  }

  return {
    async find(id) {
      if (!isKeyId(id)) return undefined
      const kept = keys.get(id)
      if (kept !== undefined && kept.until > clock.monotonic()) return kept.key
      if ((unknown.get(id) ?? 0) > clock.monotonic()) return undefined
      const flight = flights.get(id)
      if (flight !== undefined) return flight
      if (flights.size >= MAX_FLIGHTS) throw new PartywallError('ERR_OVERLOADED', { retryAfterSeconds: 1 })
      const started = look(id).finally(() => flights.delete(id))
      flights.set(id, started)
      return started
    },
  }
}

/** Safe in a path: segments of letters, digits and `._-`, none of them dots alone. */
export const isKeyId = (id: string): boolean =>
  id.length <= MAX_ID_LENGTH && KEY_ID.test(id) && !/(?:^|\/)\.{1,2}(?:\/|$)/.test(id)

/** The first usable key; one server's trouble counts only when no other has the key. */
async function askAll(bases: readonly string[], id: string, outbound: Outbound): Promise<KeyObject | undefined> {
  let trouble: unknown
  for (const base of bases) {
    try {
      const key = await ask(`${base}/${id}`, outbound)
      if (key !== undefined) return key
    } catch (error) {
      if (!isPartywallError(error) || error.status !== 503) throw error
      trouble = error
    }
  }
  if (trouble !== undefined) throw trouble
  return undefined
}

/** @throws PartywallError ERR_HOST_RESPONSE, ERR_OUTBOUND_* when the server cannot say whether it knows the key */
async function ask(url: string, outbound: Outbound): Promise<KeyObject | undefined> {
  const { status, body } = await outbound.request({
    url,
    method: 'GET',
    headers: { accept: 'application/x-pem-file, text/plain, */*' },
    allowedOrigins: [new URL(url).origin],
    timeoutMs: TIMEOUT_MS,
    maxBytes: MAX_BYTES,
  })
  if (status === 200) return readKey(body.toString('latin1'))
  if (status === 429 || status >= 500) throw new PartywallError('ERR_HOST_RESPONSE', { details: { status } })
  return undefined
}

/** An RSA key of 2,048 bits or more, or nothing: whatever else a server sends is no key. */
function readKey(pem: string): KeyObject | undefined {
  if (!pem.includes('-----BEGIN PUBLIC KEY-----')) return undefined
  try {
    const key = createPublicKey(pem)
    const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
    return key.asymmetricKeyType === 'rsa' && bits >= MIN_BITS ? key : undefined
  } catch {
    // OpenSSL's message says where its parser stopped; that it is no key is all that counts.
    return undefined
  }
}

function readBase(server: string): string {
  const url = checkBase(server)
  if (url === undefined || url.search !== '' || url.hash !== '') {
    throw new PartywallError('ERR_CONFIG', { message: `a key server is an address without query, not ${server}` })
  }
  return url.href.replace(/\/$/, '')
}

function checkBase(server: string): URL | undefined {
  try {
    return checkWebUrl(server)
  } catch (error) {
    if (isPartywallError(error, 'ERR_OUTBOUND_URL')) return undefined
    throw error
  }
}
