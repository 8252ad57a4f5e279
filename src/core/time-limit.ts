/** Work of an author within a time limit. When the time is over its context ends with it, so that nothing of it has effects. */

import { runInContext } from './context.ts'
import type { Bound } from './dialect.ts'
import { PartywallError } from './errors.ts'

/**
 * Runs `work` in the bound context. The context stays open: who opened it releases it.
 * @throws what `work` throws; ERR_HANDLER_TIMEOUT after `timeoutMs`, which is also the reason of the context's signal
 */
export function runInTime<T>(bound: Bound, timeoutMs: number, work: () => T | Promise<T>): Promise<T> {
  // One promise of our own, since every delivery makes it.
  return new Promise((resolve, reject) => {
    const end = () => {
      const reason = new PartywallError('ERR_HANDLER_TIMEOUT', { details: { timeoutMs } })
      // First: what the handler makes of its signal must not count as how it ended.
      reject(reason)
      bound.end(reason)
    }
    const timer = setTimeout(end, timeoutMs).unref()
    const settle = (how: () => void) => {
      clearTimeout(timer)
      how()
    }
    runInContext(bound.context, async () => work()).then(
      result => settle(() => resolve(result)),
      error => settle(() => reject(error)),
    )
  })
}
