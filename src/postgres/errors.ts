/**
 * Turns what the driver and the server report into coded errors.
 *
 * `details.mayHaveRun` says whether a statement can have taken effect: `false` means that it certainly did not (it never
 * left this process, or the server refused it), `true` that nobody knows. Only what did not run may be repeated blindly.
 */

import { type ErrorCode, isPartywallError, PartywallError } from '../core/errors.ts'

/** What a statement was doing when the error came. */
export type Progress = 'not-sent' | 'sent'

interface Reported {
  readonly code?: unknown
  readonly message?: unknown
  readonly severity?: unknown
  readonly constraint?: unknown
  readonly table?: unknown
  readonly column?: unknown
}

/** Conditions with a meaning of their own; the rest goes by class. */
const BY_STATE: ReadonlyMap<string, ErrorCode> = new Map([
  ['57014', 'ERR_STORE_TIMEOUT'],
  ['55P03', 'ERR_STORE_TIMEOUT'],
  ['25P03', 'ERR_STORE_TIMEOUT'],
  ['25P04', 'ERR_STORE_TIMEOUT'],
  ['53100', 'ERR_STORE_FULL'],
  ['40001', 'ERR_UPDATE_CONTENTION'],
  ['40P01', 'ERR_UPDATE_CONTENTION'],
  ['57P01', 'ERR_STORE_UNAVAILABLE'],
  ['57P02', 'ERR_STORE_UNAVAILABLE'],
  ['57P03', 'ERR_STORE_UNAVAILABLE'],
  ['57P05', 'ERR_STORE_UNAVAILABLE'],
  // The plan of a prepared statement no longer fits its table: gone with the connection.
  ['0A000', 'ERR_STATEMENT_REFUSED'],
  ['26000', 'ERR_STORE_UNAVAILABLE'],
])
/** 08 connection, 28 login, 3D database, 53 resources, 58 system, XX internal: another try may do better. */
const UNAVAILABLE_CLASSES = new Set(['08', '28', '3D', '53', '58', 'XX'])

/** SQLSTATE of a server's error, also inside one of ours. */
export function sqlStateOf(error: unknown): string | undefined {
  if (isPartywallError(error)) {
    const state = error.details.sqlState
    return typeof state === 'string' ? state : undefined
  }
  const code = reported(error).code
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : undefined
}

/**
 * Whether the server ends the connection after this report. Its good-bye arrives before the end of the stream does, and
 * what is sent in between is lost.
 */
export function isFatal(error: unknown): boolean {
  if (isPartywallError(error)) return false
  const { severity } = reported(error)
  // 57P: shutdown, crash, idle session; the severity is translated into the server's language, the state is not.
  return severity === 'FATAL' || severity === 'PANIC' || sqlStateOf(error)?.startsWith('57P') === true
}

/**
 * @returns a PartywallError: ERR_STORE_UNAVAILABLE, ERR_STORE_TIMEOUT, ERR_STORE_FULL, ERR_UPDATE_CONTENTION,
 *   ERR_WALL_NOT_BOUND, ERR_TENANT_REVOKED (erased), or ERR_STATEMENT_REFUSED with `details.sqlState` for everything a statement itself caused
 */
export function storeError(error: unknown, progress: Progress): PartywallError {
  if (isPartywallError(error)) return error
  const state = sqlStateOf(error)
  if (state === undefined) return connectionError(error, progress)
  const { severity, constraint, table, column } = reported(error)
  // An ERROR rolls the whole group back before it is reported; FATAL and PANIC may cut off a commit that was made.
  const mayHaveRun = progress === 'sent' && severity !== 'ERROR'
  const cause = withoutValues(error, state)
  return new PartywallError(codeOf(state, error), {
    cause,
    message: `the database reported ${state}: ${cause.message}`,
    details: { sqlState: state, mayHaveRun, constraint: text(constraint), table: text(table), column: text(column) },
  })
}

/** The connection broke or could not be made. */
export function connectionError(error: unknown, progress: Progress): PartywallError {
  const { code, message } = reported(error)
  return new PartywallError('ERR_STORE_UNAVAILABLE', {
    cause: error,
    message: `the database cannot be reached: ${text(code) ?? text(message) ?? 'connection lost'}`,
    // Where the server itself refused the login, its state says why: start-up tells "not prepared" by it.
    details: { mayHaveRun: progress === 'sent', sqlState: sqlStateOf(error) },
    retryAfterSeconds: 1,
  })
}

/** No answer in time; the connection it waited on is gone with it. */
export const timeoutError = (progress: Progress, limitMs: number): PartywallError =>
  new PartywallError('ERR_STORE_TIMEOUT', {
    message: `no answer from the database within ${limitMs} ms`,
    details: { mayHaveRun: progress === 'sent', limitMs },
    retryAfterSeconds: 1,
  })

function codeOf(state: string, error: unknown): ErrorCode {
  if (isMissingBinding(state, text(reported(error).message) ?? '')) return 'ERR_WALL_NOT_BOUND'
  if (isErased(state, text(reported(error).message) ?? '')) return 'ERR_TENANT_REVOKED'
  const known = BY_STATE.get(state)
  if (known !== undefined) return known
  return UNAVAILABLE_CLASSES.has(state.slice(0, 2)) ? 'ERR_STORE_UNAVAILABLE' : 'ERR_STATEMENT_REFUSED'
}

/** The policies read a setting that was never made (42704) or has been rolled off (empty, hence no UUID). */
const isMissingBinding = (state: string, message: string): boolean =>
  (state === '42704' && message.includes('"pw.')) || (state === '22P02' && message.endsWith('uuid: ""'))

/** The policy that keeps late writes out of a tenant whose erasure has begun. */
const isErased = (state: string, message: string): boolean => state === '42501' && message.includes('"erased"')

/** The server quotes values in its texts about data (classes 22 and 23) and in DETAIL: neither goes into a log. */
function withoutValues(error: unknown, state: string): Error {
  const isAboutData = state.startsWith('22') || state.startsWith('23')
  const clean = new Error(isAboutData ? 'data refused' : (text(reported(error).message) ?? state))
  clean.name = 'DatabaseError'
  return clean
}

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

const reported = (error: unknown): Reported => (typeof error === 'object' && error !== null ? error : {})
