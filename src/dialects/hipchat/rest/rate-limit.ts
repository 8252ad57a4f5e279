/** What a host says about its limits: calls per token (`X-Ratelimit-*`) and messages per room or person (`X-FloodControl-*`). */

export interface RateLimit {
  /** Calls in a window. */
  readonly limit: number
  /** Calls that are left in this one. */
  readonly remaining: number
  /** When the next window begins. */
  readonly resetAt: Date
}

/** The newest word of the host on each of its two limits. */
export interface SeenLimits {
  readonly rate: RateLimit | undefined
  readonly flood: RateLimit | undefined
}

type Headers = Readonly<Record<string, string>>

/** @param headers  lower-case names */
export function readLimits(headers: Headers): SeenLimits {
  return { rate: readLimit(headers, 'x-ratelimit'), flood: readLimit(headers, 'x-floodcontrol') }
}

/** The same as flat facts of an error; `...Reset` in Unix seconds, as on the wire. */
export function limitDetails({ rate, flood }: SeenLimits): Readonly<Record<string, number | undefined>> {
  return {
    rateLimit: rate?.limit,
    rateRemaining: rate?.remaining,
    rateReset: resetSeconds(rate),
    floodLimit: flood?.limit,
    floodRemaining: flood?.remaining,
    floodReset: resetSeconds(flood),
  }
}

function readLimit(headers: Headers, prefix: string): RateLimit | undefined {
  const [limit, remaining, reset] = ['limit', 'remaining', 'reset'].map(part =>
    wholeNumber(headers[`${prefix}-${part}`]),
  )
  if (limit === undefined || remaining === undefined || reset === undefined) return undefined
  return { limit, remaining, resetAt: new Date(reset * 1000) }
}

const wholeNumber = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,11}$/.test(text) ? Number(text) : undefined

const resetSeconds = (limit: RateLimit | undefined): number | undefined =>
  limit === undefined ? undefined : limit.resetAt.getTime() / 1000
