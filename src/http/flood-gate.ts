/**
 * Keeps floods of refused requests and overload away from good tenants.
 *
 * Behind a proxy every request comes from one address, so an address is never shut out for what its refused neighbours did:
 * a request that proves its tenant always passes while the process keeps up. Over its budget, an address gets 429 instead of 401.
 * Only when the event loop falls behind are requests turned away before any work: first those of addresses that sent
 * nothing but refusals, then everybody with 503.
 */

import { createBuckets } from '../core/buckets.ts'
import { isPartywallError, PartywallError } from '../core/errors.ts'
import type { Clock } from '../core/ports.ts'
import { errorAnswer } from './answers.ts'
import { mergeSettings } from './settings.ts'
import type { Answer, Guard, Mountable, RequestView } from './view.ts'

export interface FloodSettings {
  /** Refused requests of one address per second before it is told 429; default 200. */
  readonly refusedPerSecond: number
  /** Refused requests of one address that may come at once; default 2,000. */
  readonly refusedBurst: number
  /** Milliseconds the loop may fall behind before addresses with nothing but refusals are turned away; default 100. */
  readonly sheddingLagMs: number
  /** Milliseconds the loop may fall behind before everybody is turned away; default 1,000. */
  readonly overloadLagMs: number
  /** How long an address counts as good after a request that passed, milliseconds; default 60,000. */
  readonly goodForMs: number
}

export const DEFAULT_FLOOD_SETTINGS: FloodSettings = {
  refusedPerSecond: 200,
  refusedBurst: 2_000,
  sheddingLagMs: 100,
  overloadLagMs: 1_000,
  goodForMs: 60_000,
}

export interface FloodGate {
  protectGuard<Properties extends object>(guard: Guard<Properties>): Guard<Properties>
  protectApp(app: Mountable): Mountable
}

const MAX_GOOD_ADDRESSES = 10_000

/**
 * @throws TypeError for a setting that is not a positive number
 * @param lagMs  how far the event loop is behind, milliseconds; see `watchLoop`
 */
export function createFloodGate(clock: Clock, lagMs: () => number, settings: Partial<FloodSettings> = {}): FloodGate {
  const limits = mergeSettings(DEFAULT_FLOOD_SETTINGS, settings)
  const refused = createBuckets<string>(clock, { perSecond: limits.refusedPerSecond, burst: limits.refusedBurst })
  const goodUntil = new Map<string, number>()

  const admit = (address: string): PartywallError | undefined => {
    const lag = lagMs()
    if (lag < limits.sheddingLagMs) return undefined
    const isGood = (goodUntil.get(address) ?? 0) > clock.monotonic()
    if (!isGood && refused.isEmpty(address)) return new PartywallError('ERR_RATE_LIMITED', { retryAfterSeconds: 5 })
    return lag >= limits.overloadLagMs ? new PartywallError('ERR_OVERLOADED', { retryAfterSeconds: 2 }) : undefined
  }
  const noteGood = (address: string) => {
    if (goodUntil.size >= MAX_GOOD_ADDRESSES && !goodUntil.has(address)) goodUntil.clear()
    goodUntil.set(address, clock.monotonic() + limits.goodForMs)
  }
  /** Counts a refusal; an error when the address is over its budget. */
  const noteRefused = (address: string): PartywallError | undefined => {
    const waitMs = refused.take(address)
    if (waitMs === 0) return undefined
    return new PartywallError('ERR_RATE_LIMITED', { retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1000)) })
  }
  const judge = (address: string, answer: Answer): Answer => {
    if (answer.tenant !== undefined) noteGood(address)
    if (answer.status !== 401) return answer
    const flooded = noteRefused(address)
    return flooded === undefined ? answer : errorAnswer(flooded)
  }

  return {
    // No `async` here: a guard that answers at once costs no promise.
    protectGuard: guard => view => {
      const address = addressOf(view)
      const turnedAway = admit(address)
      if (turnedAway !== undefined) throw turnedAway
      const pass = <G>(guarded: G): G => {
        noteGood(address)
        return guarded
      }
      const refuse = (error: unknown): never => {
        throw isPartywallError(error) && error.status === 401 ? (noteRefused(address) ?? error) : error
      }
      try {
        const guarded = guard(view)
        return guarded instanceof Promise ? guarded.then(pass, refuse) : pass(guarded)
      } catch (error) {
        return refuse(error)
      }
    },
    protectApp: app => ({
      ...app,
      handle(view) {
        const address = addressOf(view)
        const turnedAway = admit(address)
        // Whoever mounts us decides about his own paths, his health check among them.
        if (turnedAway !== undefined) return app.owns?.(view) === false ? undefined : errorAnswer(turnedAway)
        const answer = app.handle(view)
        if (answer === undefined) return undefined
        return answer instanceof Promise ? answer.then(made => judge(address, made)) : judge(address, answer)
      },
    }),
  }
}

const addressOf = (view: RequestView): string => view.remoteAddress ?? 'unknown'
