/**
 * The one place where a verified identity becomes a bound tenant context.
 *
 * Contexts that run are known here, so that a change that takes rights away ends them at once: their signal is
 * aborted and `ensureLive` throws. Whoever opened a context may end it in the same way. Nothing here verifies a token or
 * reads a request.
 */

import { type ContextMode, runInContext, type TenantContext } from './context.ts'
import type { Binder, Bound } from './dialect.ts'
import { PartywallError } from './errors.ts'
import { createGuardedController } from './guarded-signal.ts'
import type { IdentityUid, TenantUid } from './ids.ts'
import type { Logger, Registry } from './ports.ts'
import { type IdentityRecord, isLive } from './tenant.ts'

export interface BinderOptions {
  readonly registry: Pick<Registry, 'isCurrent' | 'findByUid' | 'onRevoked' | 'onLapsed'>
  /** Hears of listeners on a context's signal that fail: nobody else could. */
  readonly logger: Pick<Logger, 'error'>
}

export interface BinderWithLifetime extends Binder {
  /** How many contexts run now. */
  readonly running: number
  /** Revokes what still runs and stops listening to the registry. */
  close(): void
}

/**
 * @param options.registry says whether a record is still the newest, and calls back when one has lost its rights
 * @throws ERR_TENANT_DISABLED from `run` and `open` when the identity is not live (mode `read-only` also takes an ended one)
 * @example await binder.run(identity, context => handler(context))
 */
export function createBinder({ registry, logger }: BinderOptions): BinderWithLifetime {
  const running = new Set<BoundContext>()

  const options: ContextOptions = { registry, logger, running }
  const open = (identity: IdentityRecord, mode: ContextMode = 'full', onRelease?: () => void): BoundContext => {
    if (!isAcceptable(identity, mode)) throw new PartywallError('ERR_TENANT_DISABLED')
    const context = new BoundContext(options, identity, mode, onRelease)
    running.add(context)
    return context
  }

  const run = async <T>(
    identity: IdentityRecord,
    work: (context: TenantContext) => T | Promise<T>,
    mode: ContextMode = 'full',
  ): Promise<T> => {
    const context = open(identity, mode)
    try {
      const check = context.ensureLive()
      if (check !== undefined) await check
      return await runInContext(context, () => work(context))
    } finally {
      context.release()
    }
  }

  const stopRevoked = registry.onRevoked(({ identity, version }) => {
    // All that run are looked at: revocations are rare, and every request would pay for an index.
    for (const context of running) if (isOlder(context.identity, identity, version)) context.end(revoked())
  })
  const stopLapsed = registry.onLapsed(async () => {
    await Promise.all([...running].map(context => context.checkAgain()))
  })

  return {
    run,
    open,
    get running() {
      return running.size
    },
    close() {
      stopRevoked()
      stopLapsed()
      for (const context of running) context.end(revoked())
      running.clear()
    },
  }
}

interface ContextOptions extends BinderOptions {
  readonly running: Set<BoundContext>
}

/** A context and the hold on it in one: every request makes one. */
class BoundContext implements TenantContext, Bound {
  readonly tenantUid: TenantUid
  readonly mode: ContextMode
  readonly #options: ContextOptions
  #onRelease: (() => void) | undefined
  #identity: IdentityRecord
  /** Made when somebody asks for the signal: most requests never do. */
  #controller: AbortController | undefined
  #ended: PartywallError | undefined

  constructor(
    options: ContextOptions,
    identity: IdentityRecord,
    mode: ContextMode,
    onRelease: (() => void) | undefined,
  ) {
    this.#onRelease = onRelease
    this.#options = options
    this.#identity = identity
    this.tenantUid = identity.tenantUid
    this.mode = mode
  }

  get context(): this {
    return this
  }

  release(): void {
    this.#options.running.delete(this)
    this.#onRelease?.()
    this.#onRelease = undefined
  }

  /** The newest record under which this context was found live. */
  get identity(): IdentityRecord {
    return this.#identity
  }

  get isRevoked(): boolean {
    return this.#ended !== undefined
  }

  get signal(): AbortSignal {
    this.#controller ??= createGuardedController(error =>
      this.#options.logger.error('abort-listener-failed', { tenant: this.#identity.externalId, error }),
    )
    if (this.#ended !== undefined && !this.#controller.signal.aborted) this.#controller.abort(this.#ended)
    return this.#controller.signal
  }

  ensureLive(): void | Promise<void> {
    if (this.#ended !== undefined) throw this.#ended
    if (this.#options.registry.isCurrent(this.#identity)) return undefined
    return this.#ask()
  }

  end(reason: PartywallError): void {
    if (this.#ended !== undefined) return
    this.#ended = reason
    this.#controller?.abort(reason)
  }

  /** Ends the context if its rights are gone. A registry that cannot be reached leaves it to the next `ensureLive`. */
  async checkAgain(): Promise<void> {
    if (this.#ended === undefined) this.#take(await this.#newest())
  }

  async #ask(): Promise<void> {
    this.#take(await this.#newest())
    if (this.#ended !== undefined) throw this.#ended
  }

  #newest(): Promise<IdentityRecord | undefined> {
    return this.#options.registry.findByUid(this.tenantUid, this.#identity.uid)
  }

  #take(newest: IdentityRecord | undefined): void {
    const before = this.#identity
    const mayGoOn =
      newest !== undefined &&
      newest.version >= before.version &&
      newest.secretVersion === before.secretVersion &&
      (this.mode === 'full' ? isLive(newest) : newest.version === before.version)
    if (mayGoOn) this.#identity = newest
    else this.end(revoked())
  }
}

const isAcceptable = (identity: IdentityRecord, mode: ContextMode): boolean =>
  isLive(identity) || (mode === 'read-only' && identity.state === 'uninstalled')

const revoked = (): PartywallError => new PartywallError('ERR_TENANT_REVOKED')

const isOlder = (identity: IdentityRecord, uid: IdentityUid, version: number): boolean =>
  identity.uid === uid && identity.version < version
