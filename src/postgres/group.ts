/**
 * One group of statements on its way: what is written before one Sync, and the rows that come back for each of them.
 *
 * The driver's pipeline takes only objects that are `instanceof pg.Query`. A group is one without the driver's constructor
 * ever running: no event emitter, no result object, no description of columns, messages built before they are queued.
 */

import pg from 'pg'
import type { Row } from './database.ts'
import { type Progress, storeError } from './errors.ts'

/** What a group needs from the connection it travels on. */
export interface Carrier {
  /** Queues the buffers; they leave in one write with all other groups of this turn of the event loop. */
  send(group: Group): void
  /** Called once, when the answer to the group is complete or can no longer come. */
  settled(group: Group, error: unknown): void
}

export interface GroupResult {
  /** One list of rows per statement, in order. */
  readonly rows: readonly (readonly Row[])[]
  /** Command tag of the last statement: `COMMIT`, `ROLLBACK`, `UPDATE 3` ... */
  readonly tag: string
  /** Columns of the described statement, where one was. */
  readonly fields: readonly pg.FieldDef[]
}

interface DataRow {
  readonly fields: Row
}

const NO_ROWS: readonly Row[] = Object.freeze([])

export class Group {
  readonly buffers: readonly Buffer[]
  readonly startedAt: number
  /** Set when the bytes are handed to the socket. */
  progress: Progress = 'not-sent'
  /** The driver tracks prepared statements by this; we do it ourselves. */
  readonly name = ''
  /** Read by the driver, which would put itself here were it empty. */
  readonly callback = true
  /** Of the statement that answers now; most statements of a group have none. */
  #rows: Row[] | undefined
  #results: (readonly Row[])[] = []
  #tag = ''
  #fields: readonly pg.FieldDef[] = []
  #isSettled = false
  readonly #carrier: Carrier
  readonly #resolve: (result: GroupResult) => void
  readonly #reject: (error: unknown) => void

  constructor(
    carrier: Carrier,
    buffers: readonly Buffer[],
    startedAt: number,
    resolve: (result: GroupResult) => void,
    reject: (error: unknown) => void,
  ) {
    this.#carrier = carrier
    this.buffers = buffers
    this.startedAt = startedAt
    this.#resolve = resolve
    this.#reject = reject
  }

  submit(): null {
    this.#carrier.send(this)
    return null
  }

  handleRowDescription(message: { readonly fields: readonly pg.FieldDef[] }): void {
    this.#fields = message.fields
  }

  handleDataRow(message: DataRow): void {
    if (this.#rows === undefined) this.#rows = [message.fields]
    else this.#rows.push(message.fields)
  }

  handleCommandComplete(message: { readonly text: string }): void {
    this.#results.push(this.#rows ?? NO_ROWS)
    this.#rows = undefined
    this.#tag = message.text
  }

  handleEmptyQuery(): void {
    this.handleCommandComplete({ text: '' })
  }

  /** `copy` has no place in a group: refused on the wire, which ends the group with an error of the server. */
  handleCopyInResponse(connection: { sendCopyFail(reason: string): void; sync(): void }): void {
    connection.sendCopyFail('copy is not available here')
    connection.sync()
  }

  handleCopyData(): void {
    // Bytes of `copy to stdout`: not rows, dropped.
  }

  handleError(error: unknown): void {
    this.fail(storeError(error, this.progress), error)
  }

  handleReadyForQuery(): void {
    if (this.#isSettled) return
    this.#isSettled = true
    this.#carrier.settled(this, undefined)
    this.#resolve({ rows: this.#results, tag: this.#tag, fields: this.#fields })
  }

  /** @param reason what `error` was made of, for the connection to judge itself by */
  fail(error: unknown, reason: unknown): void {
    if (this.#isSettled) return
    this.#isSettled = true
    this.#carrier.settled(this, reason)
    this.#reject(error)
  }
}

Object.setPrototypeOf(Group.prototype, pg.Query.prototype)
