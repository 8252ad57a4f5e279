/**
 * One connection to PostgreSQL that many groups of statements share: pipelined, one socket write per turn of the event loop,
 * statements prepared once by name, and a watch on the oldest group so that a server that hangs is noticed.
 *
 * A connection is never repaired. What broke, timed out or was cancelled ends it; the pool opens another.
 */

import pg from 'pg'
import { PartywallError } from '../core/errors.ts'
import type { Parameter, Statement } from './database.ts'
import { connectionError, isFatal, sqlStateOf, timeoutError } from './errors.ts'
import { type Carrier, Group, type GroupResult } from './group.ts'
import { bindMessage, DESCRIBE_PORTAL, EXECUTE, groupMessage, parseMessage, SYNC } from './messages.ts'

/** `named`: prepared once per connection. `unnamed`: parsed each time, for poolers that share server connections. */
export type StatementMode = 'named' | 'unnamed'

export interface ConnectionOptions {
  readonly client: pg.ClientConfig
  readonly mode: StatementMode
  readonly connectTimeoutMs: number
  /** Longest wait for the answer to one group. */
  readonly answerTimeoutMs: number
}

export type StatementCall = readonly [Statement, readonly Parameter[]]

/** States after which a connection must not be used again, though the server would go on. */
const ENDING_STATES = new Set(['57014', '25P03', '25P04', '0A000', '26000', '42P05'])
/** PostgreSQL keeps 63 bytes of a statement's name. */
const MAX_NAME_LENGTH = 60
const GOOD_BYE_MS = 750
/** So much is worth a write of its own before the turn of the event loop is over: the server begins meanwhile. */
const EAGER_BYTES = 8 * 1024

export class Connection implements Carrier {
  readonly #client: pg.Client
  readonly #options: ConnectionOptions
  readonly #onEnd: (connection: Connection, error: unknown) => void
  readonly #prepared = new Map<string, string>()
  readonly #prepareFailures = new Map<string, unknown>()
  readonly #inFlight = new Set<Group>()
  #unsent: Group[] = []
  #unsentBytes = 0
  #watch: NodeJS.Timeout | undefined
  #state: 'open' | 'retiring' | 'ended' = 'open'

  private constructor(
    client: pg.Client,
    options: ConnectionOptions,
    onEnd: (connection: Connection, error: unknown) => void,
  ) {
    this.#client = client
    this.#options = options
    this.#onEnd = onEnd
    client.on('end', () => this.#ended(new Error('connection closed')))
  }

  /**
   * Connects and makes sure that the server is a primary: what is read decides who may come in, so it must not lag.
   * @param onEnd called once when the connection is gone
   * @throws ERR_STORE_UNAVAILABLE
   */
  static async open(
    options: ConnectionOptions,
    onEnd: (connection: Connection, error: unknown) => void,
  ): Promise<Connection> {
    const client = new pg.Client({
      ...options.client,
      pipeline: true,
      keepAlive: true,
      connectionTimeoutMillis: options.connectTimeoutMs,
    })
    let opened: Connection | undefined
    client.on('error', error => opened?.destroy(connectionError(error, 'sent')))
    try {
      await client.connect()
    } catch (error) {
      // Whatever stands in the way of a connection, nothing was asked yet, and another try may do better.
      throw connectionError(error, 'not-sent')
    }
    opened = new Connection(client, options, onEnd)
    await opened.#requirePrimary()
    return opened
  }

  /** Groups without an answer yet. */
  get load(): number {
    return this.#inFlight.size
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  /** `I` outside a transaction, `T` in one, `E` in a failed one. */
  get transactionStatus(): string | null {
    return this.#client.getTransactionStatus()
  }

  onNotification(listener: (channel: string, payload: string) => void): void {
    this.#client.on('notification', message => listener(message.channel, message.payload ?? ''))
  }

  /**
   * Sends the statements as one group: one implicit transaction unless one is open, one round trip.
   * @throws the coded errors of `storeError`; ERR_STORE_TIMEOUT when the server does not answer
   */
  run(calls: readonly StatementCall[]): Promise<GroupResult> {
    if (this.#options.mode === 'named') {
      for (const [statement] of calls) this.#prepare(statement)
      return this.#submit([groupMessage(calls)], calls)
    }
    const messages = calls.flatMap(([{ text }, values]) => [parseMessage('', text), bindMessage('', values), EXECUTE])
    return this.#submit([...messages, SYNC], calls)
  }

  /** One unnamed statement with a description of its columns: for SQL that is not ours. */
  runDescribed(text: string, values: readonly Parameter[]): Promise<GroupResult> {
    return this.#submit([parseMessage('', text), bindMessage('', values), DESCRIBE_PORTAL, EXECUTE, SYNC], [])
  }

  /** Takes no more work; closes when the last answer is in. */
  retire(): void {
    if (this.#state !== 'open') return
    this.#state = 'retiring'
    if (this.#inFlight.size === 0) this.destroy(connectionError(new Error('connection retired'), 'not-sent'))
  }

  /** Closes at once. Groups without an answer fail with `error` (or, not sent yet, with one that says so). */
  destroy(error: unknown): void {
    if (this.#state === 'ended') return
    const waiting = [...this.#inFlight]
    this.#ended(error)
    for (const group of waiting) {
      group.fail(group.progress === 'sent' ? error : connectionError(error, 'not-sent'), undefined)
    }
    this.#client.connection.stream.destroy()
  }

  /** Says good-bye to the server once the last answer is in; a server that does not hear it is left without. */
  async close(): Promise<void> {
    if (this.#state === 'ended') return
    this.#state = 'retiring'
    const silence = connectionError(new Error('the server does not answer'), 'sent')
    const timer = setTimeout(() => this.destroy(silence), GOOD_BYE_MS)
    try {
      await this.#client.end()
    } finally {
      clearTimeout(timer)
    }
  }

  send(group: Group): void {
    if (this.#unsent.push(group) === 1) setImmediate(() => this.#flush())
    for (const buffer of group.buffers) this.#unsentBytes += buffer.length
    if (this.#unsentBytes >= EAGER_BYTES) this.#flush()
  }

  settled(group: Group, reason: unknown): void {
    this.#inFlight.delete(group)
    if (reason !== undefined && (isFatal(reason) || this.#endsWith(sqlStateOf(reason)))) this.retire()
    if (this.#state === 'retiring' && this.#inFlight.size === 0) {
      this.destroy(connectionError(new Error('connection retired'), 'not-sent'))
    }
  }

  #endsWith(state: string | undefined): boolean {
    if (state === undefined || !ENDING_STATES.has(state)) return false
    // Missing because it could not be prepared: a fault of the statement, not of the connection.
    return !(state === '26000' && this.#prepareFailures.size > 0)
  }

  async #requirePrimary(): Promise<void> {
    const { rows } = await this.runDescribed('select pg_is_in_recovery()', [])
    if (rows[0]?.[0]?.[0] !== 'f') {
      const error = new PartywallError('ERR_STORE_UNAVAILABLE', {
        message: 'the database server is a standby; connect to the primary',
        details: { mayHaveRun: false },
      })
      this.destroy(error)
      throw error
    }
  }

  /** Parses in a group of its own, so that a failure before it in the pipeline cannot skip it. */
  #prepare(statement: Statement): void {
    const known = this.#prepared.get(statement.name)
    if (known === statement.text || this.#state !== 'open') return
    if (known !== undefined) throw new TypeError(`two statements share the name ${statement.name}`)
    if (statement.name === '' || statement.name.length > MAX_NAME_LENGTH) {
      throw new TypeError(`a statement's name has 1 to ${MAX_NAME_LENGTH} characters: ${statement.name}`)
    }
    this.#prepared.set(statement.name, statement.text)
    this.#enqueue(
      [parseMessage(statement.name, statement.text), SYNC],
      () => this.#prepareFailures.delete(statement.name),
      error => {
        this.#prepared.delete(statement.name)
        this.#prepareFailures.set(statement.name, error)
      },
    )
  }

  #submit(buffers: readonly Buffer[], calls: readonly StatementCall[]): Promise<GroupResult> {
    if (this.#state !== 'open') {
      return Promise.reject(connectionError(new Error('connection is closed'), 'not-sent'))
    }
    return new Promise<GroupResult>((resolve, reject) => {
      this.#enqueue(buffers, resolve, error => reject(this.#prepareFailure(error, calls)))
    })
  }

  /** The callbacks run at once, in the order of the answers. */
  #enqueue(buffers: readonly Buffer[], resolve: (result: GroupResult) => void, reject: (error: unknown) => void): void {
    const group = new Group(this, buffers, performance.now(), resolve, reject)
    this.#inFlight.add(group)
    this.#client.query(group)
    this.#watch ??= this.#armWatch(this.#options.answerTimeoutMs)
  }

  /** A group that found its statement missing failed for the reason the statement could not be prepared. */
  #prepareFailure(error: unknown, calls: readonly StatementCall[]): unknown {
    if (sqlStateOf(error) !== '26000') return error
    for (const [statement] of calls) {
      const failure = this.#prepareFailures.get(statement.name)
      if (failure !== undefined) return failure
    }
    return error
  }

  #flush(): void {
    const groups = this.#unsent
    this.#unsent = []
    this.#unsentBytes = 0
    if (this.#state === 'ended' || groups.length === 0) return
    const buffers: Buffer[] = []
    for (const group of groups) {
      group.progress = 'sent'
      for (const buffer of group.buffers) buffers.push(buffer)
    }
    this.#client.connection.stream.write(buffers.length === 1 ? buffers[0] : Buffer.concat(buffers))
  }

  /** One timer per connection: answers come in order, so the oldest group tells. */
  #armWatch(delayMs: number): NodeJS.Timeout {
    return setTimeout(() => this.#checkOldest(), delayMs).unref()
  }

  #checkOldest(): void {
    this.#watch = undefined
    const [oldest] = this.#inFlight
    if (oldest === undefined) return
    const limitMs = this.#options.answerTimeoutMs
    const leftMs = limitMs - (performance.now() - oldest.startedAt)
    if (leftMs <= 0) this.destroy(timeoutError(oldest.progress, limitMs))
    else this.#watch = this.#armWatch(leftMs)
  }

  #ended(error: unknown): void {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    clearTimeout(this.#watch)
    this.#onEnd(this, error)
  }
}
