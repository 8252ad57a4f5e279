/**
 * When a call is tried again (protocol s. 9.3): any method where the product says it did nothing (429, 503), methods that may be
 * repeated also where nobody knows. At most 4 tries; the product's `Retry-After` counts, else exponential waits with jitter.
 */

import { isPartywallError } from '../../core/errors.ts'
import type { OutboundResponse, Random } from '../../core/ports.ts'
import { retryAfterSeconds } from '../../wire/retry-after.ts'
import type { ProductMethod } from './call-request.ts'

/** An answer, or the error of the network in place of one. */
export type Outcome =
  | { readonly kind: 'answer'; readonly answer: OutboundResponse }
  | { readonly kind: 'failure'; readonly error: unknown }

export const MAX_TRIES = 4
/** All waits of one call together: longer ones belong into a job. */
export const MAX_WAIT_MS = 10_000
const FIRST_WAIT_MS = 250
const NOTHING_DONE: ReadonlySet<number> = new Set([429, 503])
const UNKNOWN: ReadonlySet<number> = new Set([502, 504])
const REPEATABLE: ReadonlySet<ProductMethod> = new Set(['GET', 'HEAD', 'PUT', 'DELETE'])

/**
 * @param tries  how many have been made
 * @param now  epoch milliseconds
 * @returns milliseconds; `undefined`: the outcome stands
 */
export function waitBeforeNextTry(
  outcome: Outcome,
  method: ProductMethod,
  tries: number,
  { now, random }: { readonly now: number; readonly random: Random },
): number | undefined {
  if (!mayHelp(outcome, REPEATABLE.has(method))) return undefined
  const step = FIRST_WAIT_MS * 2 ** (tries - 1)
  // From half a step to a whole one, so that the callers of one outage do not come back together.
  const jittered = step * (0.5 + random.bytes(4).readUInt32LE() / 2 ** 33)
  const asked = outcome.kind === 'answer' ? retryAfterSeconds(outcome.answer.headers, now) : undefined
  return asked === undefined ? jittered : asked * 1000 + jittered
}

function mayHelp(outcome: Outcome, isRepeatable: boolean): boolean {
  if (outcome.kind === 'failure') return isRepeatable && isPartywallError(outcome.error, 'ERR_OUTBOUND_UNREACHABLE')
  const { status } = outcome.answer
  return NOTHING_DONE.has(status) || (isRepeatable && UNKNOWN.has(status))
}
