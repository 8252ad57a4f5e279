/**
 * What surrounds the guard of every add-on, whatever framework it stands in: a closing app and targets in another form are
 * refused, and the log hears of errors and of every request. The flood gate is put in by the caller.
 */

import { isPartywallError, PartywallError } from '../core/errors.ts'
import type { AnswerListener } from './node-handler.ts'
import type { ErrorListener } from './router.ts'
import { isOriginForm } from './target.ts'
import type { Guard, Guarded, RequestView } from './view.ts'

export interface AppGuardOptions {
  /** Throws when the app takes no requests now. */
  readonly ensureOpen: () => void
  /** Hears of errors that became a 5xx: of the guard, and of handlers whose framework tells nobody. */
  readonly onError: ErrorListener
  /** Hears of every request refused here, and of the others when their response has ended. */
  readonly onAnswer?: AnswerListener
}

/** @returns a guard that throws nothing but PartywallErrors: one of another kind is ours, and becomes ERR_INTERNAL */
export function createAppGuard<Properties extends object>(
  guard: Guard<Properties>,
  options: AppGuardOptions,
): Guard<Properties> {
  const { ensureOpen, onError, onAnswer } = options
  return view => {
    const startedAt = onAnswer === undefined ? 0 : performance.now()
    const pass = (guarded: Guarded<Properties>): Guarded<Properties> =>
      new Surrounded(guarded, view, startedAt, options)
    const refuse = (error: unknown): never => {
      const refusal = isPartywallError(error) ? error : new PartywallError('ERR_INTERNAL', { cause: error })
      if (refusal.status >= 500) onError(error, view)
      onAnswer?.({ view, status: refusal.status, tenant: undefined, startedAt })
      throw refusal
    }
    try {
      ensureOpen()
      if (!isOriginForm(view.target)) throw new PartywallError('ERR_REQUEST_TARGET')
      const guarded = guard(view)
      return guarded instanceof Promise ? guarded.then(pass, refuse) : pass(guarded)
    } catch (error) {
      return refuse(error)
    }
  }
}

/** The guard's own, and the log told when it ends. */
class Surrounded<Properties extends object> implements Guarded<Properties> {
  readonly #guarded: Guarded<Properties>
  readonly #view: RequestView
  readonly #startedAt: number
  readonly #options: AppGuardOptions
  #isReleased = false

  constructor(guarded: Guarded<Properties>, view: RequestView, startedAt: number, options: AppGuardOptions) {
    this.#guarded = guarded
    this.#view = view
    this.#startedAt = startedAt
    this.#options = options
  }

  get properties(): Properties {
    return this.#guarded.properties
  }
  get tenant(): string | undefined {
    return this.#guarded.tenant
  }
  get pageHeaders(): readonly string[] | undefined {
    return this.#guarded.pageHeaders
  }
  run<T>(work: () => T): T {
    return this.#guarded.run(work)
  }
  ensureLive(): void | Promise<void> {
    return this.#guarded.ensureLive()
  }
  headers(): readonly string[] {
    return this.#guarded.headers()
  }
  report(error: unknown): void {
    if (!isPartywallError(error) || error.status >= 500) this.#options.onError(error, this.#view)
  }
  release(status = 0): void {
    this.#guarded.release(status)
    if (this.#isReleased) return
    this.#isReleased = true
    const { tenant } = this.#guarded
    this.#options.onAnswer?.({ view: this.#view, status, tenant, startedAt: this.#startedAt })
  }
}
