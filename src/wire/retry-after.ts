/** When a host that limits the rate wants the next call: `Retry-After`, or the reset headers of HipChat's API. */

/** The longest wait a host may ask for; the shortest is 1 s. */
const MAX_RETRY_AFTER_SECONDS = 3600

/**
 * @param headers lower-case names
 * @param now epoch milliseconds
 * @returns whole seconds, 1 to 3600; `undefined` when no header says anything usable
 */
export function retryAfterSeconds(headers: Readonly<Record<string, string>>, now: number): number | undefined {
  const seconds =
    fromRetryAfter(headers['retry-after'], now) ??
    fromReset(headers['x-ratelimit-reset'], now) ??
    fromReset(headers['x-floodcontrol-reset'], now)
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

/** Epoch seconds. */
function fromReset(value: string | undefined, now: number): number | undefined {
  return value !== undefined && /^\d{1,12}$/.test(value) ? Number(value) - now / 1000 : undefined
}
