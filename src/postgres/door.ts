/**
 * Opens connections of one login, and stays shut for a moment after a failure: so that a server that is down is asked now
 * and then, not by every request, and every request learns the reason at once.
 */

import { isPartywallError, PartywallError } from '../core/errors.ts'
import type { Connection } from './connection.ts'

const FIRST_DELAY_MS = 50
const MAX_DELAY_MS = 1_000

export interface Door {
  /** @throws ERR_STORE_UNAVAILABLE, also without trying while the last failure is fresh; ERR_SHUTTING_DOWN */
  open(onEnd: (connection: Connection) => void): Promise<Connection>
  /** Ends what is still being opened. */
  close(): Promise<void>
}

export function createDoor(connect: (onEnd: (connection: Connection) => void) => Promise<Connection>): Door {
  const attempts = new Set<Promise<Connection>>()
  let isClosed = false
  let failure: { readonly error: unknown; readonly until: number } | undefined
  let delayMs = FIRST_DELAY_MS

  const attempt = async (onEnd: (connection: Connection) => void): Promise<Connection> => {
    let connection: Connection
    try {
      connection = await connect(onEnd)
    } catch (error) {
      failure = { error, until: performance.now() + delayMs * (0.5 + Math.random() / 2) }
      delayMs = Math.min(MAX_DELAY_MS, delayMs * 2)
      throw error
    }
    failure = undefined
    delayMs = FIRST_DELAY_MS
    if (isClosed) {
      await connection.close()
      throw new PartywallError('ERR_SHUTTING_DOWN')
    }
    return connection
  }

  return {
    open(onEnd) {
      if (isClosed) return Promise.reject(new PartywallError('ERR_SHUTTING_DOWN'))
      if (failure !== undefined && performance.now() < failure.until) return Promise.reject(again(failure.error))
      const opening = attempt(onEnd)
      attempts.add(opening)
      const forget = (): void => void attempts.delete(opening)
      opening.then(forget, forget)
      return opening
    },
    async close() {
      isClosed = true
      await Promise.allSettled(attempts)
    },
  }
}

/** Each caller gets an error of its own with the stack of its own call. */
const again = (error: unknown): unknown =>
  isPartywallError(error)
    ? new PartywallError(error.code, {
        message: error.message,
        details: error.details,
        cause: error.cause,
        ...(error.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: error.retryAfterSeconds }),
      })
    : error
