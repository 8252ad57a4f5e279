/** When a host that limits the rate wants the next call: `Retry-After`, or the reset headers of HipChat's API. */

/** The longest wait a host may ask for; the shortest is 1 s. */
const MAX_RETRY_AFTER_SECONDS = 3600

/**
 * @param headers lower-case names
 * @param now epoch milliseconds
 * @returns whole seconds, 1 to 3600; `undefined` when no header says anything usable
 */
export function retryAfterSeconds(headers: Readonly<Record<string, string>>, now: number): number | undefined {
  const seconds = fromRetryAfter(headers['retry-after'], now) ?? fromResets(headers, now)
  return seconds === undefined ? undefined : Math.min(Math.max(Math.ceil(seconds), 1), MAX_RETRY_AFTER_SECONDS)
}

function fromRetryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined
  if (/^\d{1,12}$/.test(value)) return Number(value)
  // Only HTTP's own date format; `Date.parse` alone takes nearly anything.
  if (!/^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(value)) return undefined
  const at = Date.parse(value)
  return Number.isNaN(at) ? undefined : (at - now) / 1000
}

/** Both limits are told with every answer: the one that is used up counts; of two, or of none, the later one. */
function fromResets(headers: Readonly<Record<string, string>>, now: number): number | undefined {
  const limits = ['x-ratelimit', 'x-floodcontrol'].flatMap(name => {
    const seconds = fromReset(headers[`${name}-reset`], now)
    return seconds === undefined ? [] : [{ seconds, isUsedUp: headers[`${name}-remaining`] === '0' }]
  })
  const usedUp = limits.filter(limit => limit.isUsedUp)
  const candidates = (usedUp.length > 0 ? usedUp : limits).map(limit => limit.seconds)
  return candidates.length === 0 ? undefined : Math.max(...candidates)
}

/** Epoch seconds. */
function fromReset(value: string | undefined, now: number): number | undefined {
  return value !== undefined && /^\d{1,12}$/.test(value) ? Number(value) - now / 1000 : undefined
}
