/** Calls per token and window, counted and told the way the API does. */

import type { AccessToken } from '../clients/tokens.ts'
import type { RoomRecord, UserRecord } from '../model.ts'
import { ApiError } from '../server/api-error.ts'
import type { HostState, Limit } from '../state.ts'

type Headers = Readonly<Record<string, string>>

/**
 * Every call of a token.
 * @returns headers for the answer
 * @throws ApiError 429 with the same headers
 */
export const countCall = (state: HostState, token: AccessToken): Headers =>
  count(state, token, 'rate', 'x-ratelimit', state.settings.rateLimit)

/** A message to one room or person; the same shapes. */
export const countMessage = (state: HostState, token: AccessToken, target: RoomRecord | UserRecord): Headers =>
  count(state, token, `target ${target.id}`, 'x-floodcontrol', state.settings.floodControl)

function count(state: HostState, token: AccessToken, counter: string, name: string, limit: Limit | false): Headers {
  if (limit === false) return {}
  const now = state.clock.now()
  const windowMs = limit.windowSeconds * 1000
  const known = token.counters.get(counter)
  const window = known === undefined || known.startedAt + windowMs <= now ? { startedAt: now, calls: 0 } : known
  token.counters.set(counter, window)
  window.calls += 1
  const headers = {
    [`${name}-limit`]: String(limit.calls),
    [`${name}-remaining`]: String(Math.max(0, limit.calls - window.calls)),
    [`${name}-reset`]: String(Math.ceil((window.startedAt + windowMs) / 1000)),
  }
  if (window.calls > limit.calls) throw new ApiError(429, 'Rate limit exceeded.', headers)
  return headers
}
