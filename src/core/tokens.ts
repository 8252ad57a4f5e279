/**
 * OAuth tokens of all dialects: memory first, then the sealed row that the processes share, then one request to the host.
 *
 * Many callers of one key make one request, in this process (a shared promise) and across processes (the store's lock and
 * a second look behind it). How to ask a host, and what its answer means, the caller knows; when to ask is decided here.
 */

import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Tokens } from './dialect.ts'
import { isPartywallError } from './errors.ts'
import type { Clock, Logger, Random, StoredToken, TokenStore } from './ports.ts'
import type { IdentityRecord } from './tenant.ts'
import { type KeptToken, TokenMemory } from './token-memory.ts'

export interface TokensOptions {
  readonly store: TokenStore
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** False once a newer version of the identity is known, or while nobody can tell: then nothing is kept. */
  readonly isCurrent: (identity: IdentityRecord) => boolean
  /** Tokens in memory; default 10,000. */
  readonly maxEntries?: number
  /** How long to wait for another process that asks the same; default 15,000. */
  readonly lockWaitMs?: number
}

interface WantedToken {
  /** The user to act as; left out: the app itself. */
  readonly subject?: string
  readonly scopes: readonly string[]
}

const DEFAULT_MAX_ENTRIES = 10_000
const DEFAULT_LOCK_WAIT_MS = 15_000
const MAX_REMEMBERED_REFUSALS = 10_000
/** No token is kept longer, whatever its row or its host says. */
const MAX_LIFE_MS = 24 * 60 * 60 * 1000
/** Tokens are renewed at 75 to 85 % of their life, so that neither processes nor tenants do it all at once. */
const REFRESH_FROM = 0.75
const REFRESH_SPREAD = 0.1
/** Pause after a renewal that failed while the present token still holds. */
const RETRY_PAUSE_MS = 10_000

/**
 * @example const tokens = createTokens({ store, clock, random, logger, isCurrent: identity => registry.isCurrent(identity) })
 */
export function createTokens(options: TokensOptions): Tokens {
  const { store, clock, lockWaitMs = DEFAULT_LOCK_WAIT_MS } = options
  const memory = new TokenMemory(options.maxEntries ?? DEFAULT_MAX_ENTRIES)
  const flights = new Map<string, Flight>()
  const refusals = new Map<string, Promise<void>>()
  const refused = new LRUCache<string, true>({ max: MAX_REMEMBERED_REFUSALS })

  /** A row that has been refused counts as none, even before it is dropped everywhere. */
  async function load({ identity, key }: Flight): Promise<StoredToken | undefined> {
    const row = await store.load(identity, key)
    return row === undefined || refused.has(refusalKey(key, row.accessToken)) ? undefined : row
  }

  const mayKeep = (flight: Flight) => !flight.isForgotten && options.isCurrent(flight.identity)

  /** Keeps the token in memory where that is allowed; returns it when it need not be renewed yet. */
  function keep(flight: Flight, token: StoredToken | undefined): StoredToken | undefined {
    if (token === undefined) return undefined
    const kept = ageOf(flight.identity, token, clock, options.random)
    if (mayKeep(flight) && kept.expiresAt > clock.monotonic()) memory.set(flight.key, kept)
    return kept.refreshAt > clock.monotonic() ? token : undefined
  }

  async function renew(flight: Flight, request: () => Promise<StoredToken>): Promise<StoredToken> {
    // Whoever held the lock before may have done the work.
    const fromOther = keep(flight, await load(flight))
    if (fromOther !== undefined) return fromOther
    const askedAt = clock.now()
    const token = { ...(await request()), obtainedAt: askedAt }
    // A host may well hand out the same token again; its newest word counts.
    refused.delete(refusalKey(flight.key, token.accessToken))
    await save(flight, token)
    keep(flight, token)
    return token
  }

  async function save(flight: Flight, token: StoredToken): Promise<void> {
    if (!mayKeep(flight) || token.expiresAt <= clock.now()) return
    await store.save(flight.identity, flight.key, token)
    // The identity may have ended while the row was written; then nobody else would remove it.
    if (!mayKeep(flight)) await store.drop(flight.identity, flight.key)
  }

  async function obtain(flight: Flight, request: () => Promise<StoredToken>): Promise<StoredToken> {
    try {
      const row = keep(flight, await load(flight))
      return row ?? (await store.exclusively(flight.identity, flight.key, lockWaitMs, () => renew(flight, request)))
    } catch (error) {
      return presentToken(flight, error)
    }
  }

  /** A host or store that is out for a while does no harm as long as the present token holds. */
  function presentToken({ key }: Flight, error: unknown): StoredToken {
    const now = clock.monotonic()
    const kept = memory.get(key)
    if (!isPassing(error) || kept === undefined || kept.expiresAt <= now) throw error
    memory.set(key, { ...kept, refreshAt: now + RETRY_PAUSE_MS })
    options.logger.warn('token-renewal-failed', { tenant: kept.identity, error })
    return kept.token
  }

  function start(identity: IdentityRecord, key: string, request: () => Promise<StoredToken>): Promise<StoredToken> {
    const flight: Flight = { identity, key, isForgotten: false, promise: undefined }
    flights.set(key, flight)
    flight.promise = obtain(flight, request).finally(() => {
      if (flights.get(key) === flight) flights.delete(key)
    })
    return flight.promise
  }

  async function dropRefused(identity: IdentityRecord, key: string, accessToken: string): Promise<void> {
    await store.exclusively(identity, key, lockWaitMs, async () => {
      // Another process may have a newer one there already.
      const row = await store.load(identity, key)
      if (row?.accessToken === accessToken) await store.drop(identity, key)
    })
  }

  return {
    async get(identity, wanted, request) {
      const key = tokenKey(identity, wanted)
      const kept = memory.get(key)
      const now = clock.monotonic()
      if (kept !== undefined && kept.refreshAt > now) return kept.token
      const flight = flights.get(key)
      if (flight?.promise === undefined) return start(identity, key, request)
      return kept !== undefined && kept.expiresAt > now ? kept.token : flight.promise
    },

    async refuse(identity, wanted, accessToken) {
      const key = tokenKey(identity, wanted)
      const name = refusalKey(key, accessToken)
      refused.set(name, true)
      if (memory.get(key)?.token.accessToken === accessToken) memory.delete(key)
      // All callers that held this token come here at once.
      const running = refusals.get(name)
      if (running !== undefined) return running
      const dropping = dropRefused(identity, key, accessToken).finally(() => refusals.delete(name))
      refusals.set(name, dropping)
      return dropping
    },

    forget({ uid }) {
      memory.forget(uid)
      for (const [key, flight] of flights) {
        if (flight.identity.uid !== uid) continue
        // Its callers get their answer, but nothing is kept, and nobody new joins.
        flight.isForgotten = true
        flights.delete(key)
      }
    },
  }
}

/**
 * The key of a token: SHA-256, hex, of an encoding that gives different tuples different texts (JSON of an array;
 * lone surrogates come out escaped).
 */
export function tokenKey(identity: IdentityRecord, { subject, scopes }: WantedToken): string {
  const { dialect, host, tenantUid, uid, secretVersion } = identity
  const parts = [dialect, host, tenantUid, uid, secretVersion, subject ?? null, [...new Set(scopes)].sort()]
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex')
}

interface Flight {
  readonly identity: IdentityRecord
  readonly key: string
  isForgotten: boolean
  promise: Promise<StoredToken> | undefined
}

/** From wall-clock times, which a row must have, to monotonic ones, which no jump of the clock revives. */
function ageOf(identity: IdentityRecord, token: StoredToken, clock: Clock, random: Random): KeptToken {
  const now = clock.now()
  const obtainedAt = token.obtainedAt ?? now
  const life = Math.min(token.expiresAt - obtainedAt, MAX_LIFE_MS)
  // A row from the future is one from before our clock was set back: its life is known, its age is not.
  const age = Math.max(now - obtainedAt, 0)
  const share = REFRESH_FROM + REFRESH_SPREAD * (random.bytes(4).readUInt32LE() / 2 ** 32)
  const start = clock.monotonic() - age
  return { identity: identity.uid, token, refreshAt: start + life * share, expiresAt: start + life }
}

/** Trouble that may be gone at the next try: every 503. A refusal is none. */
const isPassing = (error: unknown): boolean => isPartywallError(error) && error.status === 503

/** Names a refused token without keeping it. */
const refusalKey = (key: string, accessToken: string): string =>
  createHash('sha256').update(`${key}\n${accessToken}`).digest('hex')
