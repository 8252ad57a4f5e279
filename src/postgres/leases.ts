/**
 * Leases: how a process may answer from memory and yet never accept what another process has taken away.
 *
 * A process that holds a lease is told of every change and acknowledges it; a change is answered with 2xx only when every
 * lease has acknowledged it or has ended. A process trusts its memory until shortly before the lease that it asked for
 * would end, counted from BEFORE it asked, on its own monotonic clock. See docs/decisions/0002-leases.md.
 */

import { randomUUID } from 'node:crypto'
import type { Clock, Logger } from '../core/ports.ts'
import type { Database, Listener } from './database.ts'
import { createSettlements, type Settlements } from './leases-settled.ts'
import * as sql from './leases-statements.ts'
import { CHANGE_CHANNEL, type ChangeMessage, parseChange } from './registry-change.ts'

export interface LeaseOptions {
  readonly database: Pick<Database, 'listen' | 'system'>
  readonly clock: Clock
  readonly logger: Logger
  /** Milliseconds; default 2,000. Every process of a database must use the same. */
  readonly leaseMs?: number
  /** Milliseconds between renewals; default 500. */
  readonly renewMs?: number
  /** How much earlier than the database this process stops to trust; default 250 ms. */
  readonly marginMs?: number
}

export interface LeaseEvents {
  /** Handle the change completely before returning: what comes next is its acknowledgement. */
  onChange(change: ChangeMessage): void
  /** Changes may have been missed: forget everything. */
  onDrop(): void
  /** Check again what still runs; the lease is taken when this has settled. */
  onVerify(): Promise<void>
}

export interface Leases {
  /** Tries to take the lease; without success goes on trying by itself. */
  start(): Promise<void>
  /** True while memory may be trusted. */
  holds(): boolean
  /** Names a stretch of time in which no change was missed; `undefined` when what is read now must not be kept. */
  readonly era: number | undefined
  /**
   * Resolves when no process can act on a state before change `n`.
   * @throws ERR_STORE_UNAVAILABLE or ERR_STORE_TIMEOUT where that cannot be found out
   */
  settled(n: number): Promise<void>
  close(): Promise<void>
}

const RETRY_FIRST_MS = 100
const RETRY_MAX_MS = 5_000
const NEVER = Number.NEGATIVE_INFINITY

export function createLeases(options: LeaseOptions, events: LeaseEvents): Leases {
  return new LeaseHolder(options, events)
}

/** One connection and what it stands for. */
interface Link {
  listener: Listener | undefined
  /** The newest change handled; `undefined` until the count has been read. */
  handled: number | undefined
  isHeld: boolean
  isRenewing: boolean
  mustRenewAgain: boolean
  isOver: boolean
}

class LeaseHolder implements Leases {
  readonly #options: Required<LeaseOptions>
  readonly #events: LeaseEvents
  readonly #processId = randomUUID()
  readonly #settlements: Settlements
  #link: Link | undefined
  #era = 0
  #trustedUntil = NEVER
  #trustedUntilWall = NEVER
  #timer: NodeJS.Timeout | undefined
  #retryMs = RETRY_FIRST_MS
  #hasComplained = false
  #isClosed = false

  constructor(options: LeaseOptions, events: LeaseEvents) {
    this.#options = { leaseMs: 2_000, renewMs: 500, marginMs: 250, ...options }
    this.#events = events
    const { database, clock, leaseMs } = this.#options
    this.#settlements = createSettlements({ system: database.system, clock, leaseMs })
  }

  async start(): Promise<void> {
    if (this.#link === undefined) await this.#connect()
  }

  /** The wall clock only ever takes trust away: it goes on while the machine sleeps, where the monotonic one may stand still. */
  holds(): boolean {
    const { clock } = this.#options
    return clock.monotonic() < this.#trustedUntil && clock.now() < this.#trustedUntilWall
  }

  get era(): number | undefined {
    return this.#link?.isHeld === true ? this.#era : undefined
  }

  settled(n: number): Promise<void> {
    return this.#settlements.settled(n)
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#settlements.close()
    const listener = this.#link?.listener
    if (this.#link !== undefined) this.#end(this.#link)
    clearTimeout(this.#timer)
    if (listener === undefined) return
    try {
      await listener.query(sql.RELEASE, [this.#processId])
      await listener.close()
    } catch (error) {
      // The row ends by itself, and so does the connection.
      this.#options.logger.debug('lease-release-failed', { error })
    }
  }

  async #connect(): Promise<void> {
    if (this.#isClosed) return
    const link: Link = {
      listener: undefined,
      handled: undefined,
      isHeld: false,
      isRenewing: false,
      mustRenewAgain: false,
      isOver: false,
    }
    this.#link = link
    try {
      link.listener = await this.#options.database.listen(
        CHANGE_CHANNEL,
        payload => this.#heard(link, payload),
        error => this.#giveUp(link, error),
      )
      await this.#acquire(link, link.listener)
    } catch (error) {
      this.#giveUp(link, error)
    }
  }

  /** Listening comes first, so that no change falls between the count that is read and the first message. */
  async #acquire(link: Link, listener: Listener): Promise<void> {
    const [row] = await listener.query(sql.READ_EPOCH, [])
    link.handled = Number(row?.[0])
    await this.#events.onVerify()
    if (link.isOver) {
      await listener.close()
      return
    }
    const sent = this.#readClocks()
    const acknowledged = link.handled
    const [taken] = await listener.query(sql.ACQUIRE, this.#parameters(acknowledged))
    if (link.isOver) return
    this.#era++
    this.#retryMs = RETRY_FIRST_MS
    this.#hasComplained = false
    link.isHeld = true
    if (Number(taken?.[0]) === acknowledged) this.#trust(sent)
    this.#schedule(this.#options.renewMs, () => this.#renew(link))
    if (link.handled !== acknowledged) void this.#renew(link)
  }

  #heard(link: Link, payload: string): void {
    // Nothing has been read yet that a message could outdate, and the count will contain it.
    if (link.isOver || link.handled === undefined) return
    const change = parseChange(payload)
    if (change === undefined || change.n > link.handled + 1) {
      this.#giveUp(link, new Error('a change was missed'))
      return
    }
    if (change.n <= link.handled) return
    try {
      this.#events.onChange(change)
    } catch (error) {
      // Not handled, so not acknowledged either.
      this.#giveUp(link, error)
      return
    }
    link.handled = change.n
    if (link.isHeld) void this.#renew(link)
  }

  /** Acknowledges and renews in one statement; one under way at a time, changes meanwhile are acknowledged together. */
  async #renew(link: Link): Promise<void> {
    const { listener, handled } = link
    if (link.isOver || listener === undefined || handled === undefined) return
    if (link.isRenewing) {
      link.mustRenewAgain = true
      return
    }
    link.isRenewing = true
    link.mustRenewAgain = false
    const sent = this.#readClocks()
    try {
      const [row] = await listener.query(sql.RENEW, this.#parameters(handled))
      if (row === undefined) throw new Error('the lease was ended by a process that waited for it')
      if (!link.isOver && Number(row[0]) === handled) this.#trust(sent)
    } catch (error) {
      this.#giveUp(link, error)
    }
    link.isRenewing = false
    if (link.isOver) return
    if (link.mustRenewAgain) void this.#renew(link)
    else this.#schedule(this.#options.renewMs, () => this.#renew(link))
  }

  #parameters(acknowledged: number): readonly string[] {
    return [this.#processId, String(acknowledged), String(this.#options.leaseMs / 1_000)]
  }

  #trust(sent: { readonly monotonic: number; readonly wall: number }): void {
    const forMs = this.#options.leaseMs - this.#options.marginMs
    this.#trustedUntil = sent.monotonic + forMs
    this.#trustedUntilWall = sent.wall + forMs
  }

  #readClocks(): { readonly monotonic: number; readonly wall: number } {
    return { monotonic: this.#options.clock.monotonic(), wall: this.#options.clock.now() }
  }

  /** Ends what this connection stood for and tries again with a new one. */
  #giveUp(link: Link, error: unknown): void {
    if (link.isOver) return
    const { logger } = this.#options
    const wasHeld = link.isHeld
    this.#end(link)
    link.listener?.close().catch((cause: unknown) => logger.debug('lease-close-failed', { error: cause }))
    if (this.#isClosed) return
    const fields = { error, retryMs: this.#retryMs }
    if (wasHeld) logger.warn('lease-lost', fields)
    else if (this.#hasComplained) logger.debug('lease-not-taken', fields)
    else logger.warn('lease-not-taken', fields)
    this.#hasComplained = true
    this.#schedule(this.#retryMs, () => this.#connect())
    this.#retryMs = Math.min(RETRY_MAX_MS, this.#retryMs * 2)
  }

  #end(link: Link): void {
    link.isOver = true
    link.isHeld = false
    this.#trustedUntil = NEVER
    this.#trustedUntilWall = NEVER
    this.#events.onDrop()
  }

  #schedule(delayMs: number, work: () => Promise<void>): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void work(), delayMs).unref()
  }
}
