/**
 * Turns: updates of one key in one process go one after the other, so that they do not spoil each other's tries.
 *
 * Turns save work, they guard nothing: the version compared by the database does. Therefore a wait is bounded, and an
 * update inside the change of another one takes no turn, so that two of them can never wait for each other.
 */

import { AsyncLocalStorage } from 'node:async_hooks'
import { PartywallError } from './errors.ts'

export interface Turns {
  /**
   * Runs `work` when the earlier ones of `name` are done, or after `maxWaitMs`.
   * @throws ERR_UPDATE_REENTRANT inside the work of the same name
   */
  run<T>(name: string, work: () => Promise<T>): Promise<T>
}

interface Mark {
  readonly name: string
  readonly outer: Mark | undefined
  running: boolean
}

/** The updates around the running code; a mark outlives its work only in what that work left behind. */
const marks = new AsyncLocalStorage<Mark>()

/** @param maxWaitMs how long to wait for a change that does not end, in milliseconds */
export function createTurns(maxWaitMs = 2_000): Turns {
  const tails = new Map<string, Promise<void>>()

  const enter = async (name: string): Promise<() => void> => {
    const previous = tails.get(name)
    let leave = (): void => undefined
    const mine = new Promise<void>(resolve => {
      leave = resolve
    })
    const tail = previous === undefined ? mine : previous.then(() => mine)
    tails.set(name, tail)
    const forget = (): void => {
      if (tails.get(name) === tail) tails.delete(name)
    }
    void tail.then(forget)
    if (previous !== undefined) await atMost(previous, maxWaitMs)
    return leave
  }

  return {
    async run(name, work) {
      const outer = marks.getStore()
      if (isRunning(outer, name)) {
        throw new PartywallError('ERR_UPDATE_REENTRANT', { message: 'the change of a key updates the same key' })
      }
      const leave = isRunning(outer) ? undefined : await enter(name)
      const mark: Mark = { name, outer, running: true }
      try {
        return await marks.run(mark, work)
      } finally {
        mark.running = false
        leave?.()
      }
    },
  }
}

function isRunning(mark: Mark | undefined, name?: string): boolean {
  for (let at = mark; at !== undefined; at = at.outer) {
    if (at.running && (name === undefined || at.name === name)) return true
  }
  return false
}

async function atMost(promise: Promise<void>, milliseconds: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<void>(resolve => {
    timer = setTimeout(resolve, milliseconds)
  })
  await Promise.race([promise, limit])
  clearTimeout(timer)
}
