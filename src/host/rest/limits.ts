/** Calls per token and window, counted and told the way the API does. */

import type { AccessToken } from '../clients/tokens.ts'
import { ApiError } from '../server/api-error.ts'
import type { HostState, Limit } from '../state.ts'

/**
 * @param counter `rate` for all calls of the token, else the target of a message
 * @returns headers for the answer
 * @throws ApiError 429 with the same headers
 */
export function countCall(
  state: HostState,
  token: AccessToken,
  counter: string,
  limit: Limit | false,
): Readonly<Record<string, string>> {
  if (limit === false) return {}
  const now = state.clock.now()
  const windowMs = limit.windowSeconds * 1000
  const known = token.counters.get(counter)
  const window = known === undefined || known.startedAt + windowMs <= now ? { startedAt: now, calls: 0 } : known
  token.counters.set(counter, window)
  window.calls += 1
  const name = counter === 'rate' ? 'x-ratelimit' : 'x-floodcontrol'
  const headers = {
    [`${name}-limit`]: String(limit.calls),
    [`${name}-remaining`]: String(Math.max(0, limit.calls - window.calls)),
    [`${name}-reset`]: String(Math.ceil((window.startedAt + windowMs) / 1000)),
  }
  if (window.calls > limit.calls) throw new ApiError(429, 'Rate limit exceeded.', headers)
  return headers
}
