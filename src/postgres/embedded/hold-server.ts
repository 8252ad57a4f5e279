/**
 * Holds the server for as long as an app uses it: when keeper or server die, starts them again at the same address, so that
 * connection pools find their way back by themselves.
 */

import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '../../core/ports.ts'
import type { Home } from './home.ts'
import { type KeeperLink, linkToKeeper, type Ready } from './keeper-link.ts'
import type { KeeperOrder } from './protocol.ts'

const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 5000

export interface HeldServer {
  readonly ready: Ready
  /** Lets go; the last one to do so stops the server and waits for it. Safe to call twice. */
  close(): Promise<void>
}

/** @throws as `linkToKeeper` */
export async function holdServer(home: Home, order: KeeperOrder, logger: Logger): Promise<HeldServer> {
  const closing = new AbortController()
  const first = await linkToKeeper(home, order, logger)
  let current: KeeperLink | undefined
  let closed: Promise<void> | undefined

  function watch(link: KeeperLink): void {
    current = link
    void link.ended.then(() => {
      current = undefined
      if (closing.signal.aborted) return undefined
      logger.warn('embedded.keeper-lost', { folder: home.root })
      return regain()
    })
  }

  async function regain(): Promise<void> {
    for (let pause = FIRST_PAUSE_MS; !closing.signal.aborted; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      try {
        const link = await linkToKeeper(home, order, logger)
        if (closing.signal.aborted) return await link.close()
        logger.info('embedded.ready', { version: link.ready.version, isRestart: true })
        return watch(link)
      } catch (error) {
        logger.error('embedded.restart-failed', { error, nextTryMs: pause })
      }
      await sleep(pause, closing.signal)
    }
  }

  watch(first)
  return {
    ready: first.ready,
    close() {
      closing.abort()
      closed ??= current?.close() ?? Promise.resolve()
      return closed
    },
  }
}

/** Ends early, without an error, when `signal` aborts; keeps no process alive. */
async function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(milliseconds, undefined, { signal, ref: false })
  } catch (error) {
    if (!signal.aborted) throw error
  }
}
