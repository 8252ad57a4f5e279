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
export const limitDetails = ({ rate, flood }: SeenLimits): Readonly<Record<string, number>> => ({
  ...(rate === undefined
    ? {}
    : { rateLimit: rate.limit, rateRemaining: rate.remaining, rateReset: unixSeconds(rate.resetAt) }),
  ...(flood === undefined
    ? {}
    : { floodLimit: flood.limit, floodRemaining: flood.remaining, floodReset: unixSeconds(flood.resetAt) }),
})

function readLimit(headers: Headers, prefix: string): RateLimit | undefined {
  const [limit, remaining, reset] = ['limit', 'remaining', 'reset'].map(part =>
    wholeNumber(headers[`${prefix}-${part}`]),
  )
  if (limit === undefined || remaining === undefined || reset === undefined) return undefined
  return { limit, remaining, resetAt: new Date(reset * 1000) }
}

const wholeNumber = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,11}$/.test(text) ? Number(text) : undefined

const unixSeconds = (date: Date): number => date.getTime() / 1000
