/**
 * The connections of one login: a few that everybody shares (pipelined, least busy first), and some that one transaction
 * holds alone, so that a slow transaction never stands in the way of single statements.
 *
 * Connections are opened when there is work for them. While the server cannot be reached, work fails at once with the
 * last reason and one attempt per back-off step finds out when it is back.
 */

import { PartywallError } from '../core/errors.ts'
import { Connection, type ConnectionOptions } from './connection.ts'
import { createDoor, type Door } from './door.ts'
import { connectionError } from './errors.ts'

export interface PoolOptions extends ConnectionOptions {
  /** Shared, pipelined connections at most. */
  readonly shared: number
  /** Connections for transactions at most. */
  readonly exclusive: number
  /** Longest wait for a free connection for a transaction. */
  readonly acquireTimeoutMs: number
}

export interface Pool {
  /** A shared connection: now where one is open, else when one is. */
  pick(): Connection | Promise<Connection>
  /** A connection for one transaction. Give it back with `release`. */
  acquire(): Promise<Connection>
  release(connection: Connection): void
  close(): Promise<void>
}

interface Waiter {
  readonly give: (connection: Connection) => void
  readonly fail: (error: unknown) => void
}

export function createPool(options: PoolOptions): Pool {
  const door = createDoor(onEnd => Connection.open(options, onEnd))
  const shared = createShared(door, options.shared)
  const exclusive = createExclusive(door, options)
  return {
    pick: () => shared.pick(),
    acquire: () => exclusive.acquire(),
    release: connection => exclusive.release(connection),
    close: async () => {
      await Promise.all([exclusive.close(), shared.close()])
      await door.close()
    },
  }
}

function createShared(door: Door, limit: number) {
  const open: Connection[] = []
  let opening: Promise<Connection> | undefined

  const grow = (): Promise<Connection> => {
    opening ??= door
      .open(connection => {
        const at = open.indexOf(connection)
        if (at >= 0) open.splice(at, 1)
      })
      .then(connection => {
        open.push(connection)
        return connection
      })
      .finally(() => {
        opening = undefined
      })
    return opening
  }

  const leastBusy = (): Connection | undefined => {
    let best: Connection | undefined
    for (const connection of open) {
      if (connection.isOpen && (best === undefined || connection.load < best.load)) best = connection
    }
    return best
  }

  return {
    pick(): Connection | Promise<Connection> {
      const best = leastBusy()
      if (best === undefined) return grow()
      if (best.load > 0 && open.length < limit && opening === undefined) {
        // Growing is a bonus: the statement goes to the busy connection, a failure shows where it matters.
        grow().catch(() => undefined)
      }
      return best
    },
    close: async () => {
      await Promise.all([...open].map(connection => connection.close()))
    },
  }
}

function createExclusive(door: Door, options: PoolOptions) {
  const idle: Connection[] = []
  const held = new Set<Connection>()
  const waiters = new Set<Waiter>()
  let count = 0

  const left = (connection: Connection): void => {
    count--
    held.delete(connection)
    const at = idle.indexOf(connection)
    if (at >= 0) idle.splice(at, 1)
    serve()
  }

  /** Gives what is free, and opens what may be opened, to those who wait. */
  const serve = (): void => {
    while (waiters.size > 0) {
      const connection = idle.pop()
      if (connection === undefined) break
      if (connection.isOpen) hand(connection)
    }
    if (waiters.size > 0 && count < options.exclusive) openOne()
  }

  const hand = (connection: Connection): void => {
    const [waiter] = waiters
    if (waiter === undefined) {
      idle.push(connection)
      return
    }
    waiters.delete(waiter)
    held.add(connection)
    waiter.give(connection)
  }

  const openOne = (): void => {
    count++
    door.open(left).then(
      connection => {
        hand(connection)
        serve()
      },
      (error: unknown) => {
        count--
        for (const waiter of waiters) waiter.fail(error)
        waiters.clear()
      },
    )
  }

  return {
    acquire: (): Promise<Connection> =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          waiters.delete(waiter)
          reject(tooBusy(options.acquireTimeoutMs))
        }, options.acquireTimeoutMs)
        const waiter: Waiter = {
          give: connection => {
            clearTimeout(timer)
            resolve(connection)
          },
          fail: error => {
            clearTimeout(timer)
            reject(error)
          },
        }
        waiters.add(waiter)
        serve()
      }),
    /** Only an open connection outside any transaction goes back; any other is ended. */
    release(connection: Connection): void {
      if (!held.delete(connection)) return
      if (connection.isOpen && connection.load === 0 && connection.transactionStatus === 'I') {
        hand(connection)
      } else {
        connection.destroy(connectionError(new Error('connection was left in a transaction'), 'sent'))
      }
    },
    close: async () => {
      for (const waiter of waiters) waiter.fail(new PartywallError('ERR_SHUTTING_DOWN'))
      waiters.clear()
      await Promise.all([...idle, ...held].map(connection => connection.close()))
    },
  }
}

const tooBusy = (limitMs: number): PartywallError =>
  new PartywallError('ERR_STORE_TIMEOUT', {
    message: `no connection became free within ${limitMs} ms`,
    details: { mayHaveRun: false, limitMs },
    retryAfterSeconds: 1,
  })
