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
  let link: Promise<KeeperLink | undefined> = Promise.resolve(first)
  let closed: Promise<void> | undefined

  function watch(current: KeeperLink): KeeperLink {
    current.ended.then(() => {
      if (closing.signal.aborted) return
      logger.warn('embedded.keeper-lost', { folder: home.root })
      link = regain().then(found => (found === undefined ? undefined : watch(found)))
    }, undefined)
    return current
  }

  async function regain(): Promise<KeeperLink | undefined> {
    for (let pause = FIRST_PAUSE_MS; !closing.signal.aborted; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      try {
        const found = await linkToKeeper(home, order, logger)
        logger.info('embedded.ready', { version: found.ready.version, isRestart: true })
        return found
      } catch (error) {
        logger.error('embedded.restart-failed', { error, nextTryMs: pause })
      }
      await delay(pause, undefined, { signal: closing.signal, ref: false }).catch(() => undefined)
    }
    return undefined
  }

  watch(first)
  return {
    ready: first.ready,
    close() {
      closing.abort()
      closed ??= link.then(current => current?.close())
      return closed
    },
  }
}
