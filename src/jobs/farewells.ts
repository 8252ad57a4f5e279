/**
 * Farewells: the handlers that run once for an identity that has ended (`onUninstalled`). The change that ended it wrote down
 * what is owed; this runs it, before the host is answered or, when the process died in between, as soon as another looks.
 *
 * A handler that fails goes to the dead letters of its tenant, and the change stands. One that brings its process down is not
 * tried for ever.
 */

import { setTimeout as delay } from 'node:timers/promises'
import type { Binder } from '../core/dialect.ts'
import { PartywallError } from '../core/errors.ts'
import type { Farewells, HandlerTable, Inbox, Logger, Registry } from '../core/ports.ts'
import type { IdentityRecord } from '../core/tenant.ts'
import type { Farewell, FarewellTable } from '../postgres/farewells.ts'
import { runHandler } from './execution.ts'

export interface FarewellsWithLifetime extends Farewells {
  /** Looks for what was left behind, now and then. */
  start(): void
  close(): Promise<void>
}

export interface FarewellDeps {
  readonly table: FarewellTable
  readonly registry: Pick<Registry, 'findByUid'>
  readonly binder: Binder
  readonly handlers: HandlerTable & { names(): readonly string[] }
  readonly inbox: Pick<Inbox, 'bury'>
  readonly logger: Logger
  readonly handlerTimeoutMs: number
  /** Longest wait for another process that runs it; default 8 s, since a host has about ten seconds of patience. */
  readonly waitMs?: number
}

const KEEP_MS = 1_000
const SWEEP_MS = 2_000
const WAIT_MS = 8_000
const LOOK_MS = 100
const MAX_ATTEMPTS = 3
const ENDED = 'the process ended while the handler ran, again and again'

export function createFarewells(deps: FarewellDeps): FarewellsWithLifetime {
  const { table, logger, waitMs = WAIT_MS } = deps
  let timer: NodeJS.Timeout | undefined
  let sweeping: Promise<void> | undefined
  let isClosed = false

  async function complete(identity: IdentityRecord, own?: string): Promise<void> {
    if (own !== undefined) return say(identity, { handler: own, attempts: 1 }, deps)
    for (let waitedMs = 0; ; waitedMs += LOOK_MS) {
      const farewell = await table.claim(identity)
      if (farewell === 'none') return
      if (farewell !== 'held') return say(identity, farewell, deps)
      if (waitedMs >= waitMs) throw new PartywallError('ERR_TENANT_HELD', { retryAfterSeconds: 5 })
      await delay(LOOK_MS)
    }
  }

  async function sweep(): Promise<void> {
    const names = deps.handlers.names().filter(name => deps.handlers.modeOf(name) === 'read-only')
    const left = names.length === 0 ? [] : await table.left(names)
    await Promise.all(
      left.map(async ({ tenant, identity: uid }) => {
        const identity = await deps.registry.findByUid(tenant, uid)
        // What memory says may be older than the row: then the next look finds it.
        if (identity?.state !== 'uninstalled') return
        const farewell = await table.claim(identity)
        if (typeof farewell === 'object') await say(identity, farewell, deps)
      }),
    )
  }

  function schedule(): void {
    timer = setTimeout(() => {
      sweeping = sweep()
        .catch((error: unknown) => logger.warn('farewell-sweep-failed', { error }))
        .finally(() => {
          if (!isClosed) schedule()
        })
    }, SWEEP_MS).unref()
  }

  return {
    complete,
    start: schedule,
    async close() {
      isClosed = true
      clearTimeout(timer)
      await sweeping
    },
  }
}

/** @throws the store's error where it could not be said, or not be written that it was: then it is owed still */
async function say(identity: IdentityRecord, farewell: Farewell, deps: FarewellDeps): Promise<void> {
  const handler = deps.handlers.get(farewell.handler)
  if (handler === undefined) throw new PartywallError('ERR_HANDLER_UNKNOWN', { details: { handler: farewell.handler } })
  const work = { id: identity.uid, handler: farewell.handler, attempts: farewell.attempts - 1, payload: 'null' }
  const keeper = setInterval(() => void keep(identity, deps), KEEP_MS).unref()
  try {
    const outcome =
      farewell.attempts > MAX_ATTEMPTS
        ? ({ kind: 'dead', error: new PartywallError('ERR_HANDLER_FAILED', { message: ENDED }) } as const)
        : await runHandler(work, handler, identity, deps)
    if (outcome.kind === 'later') throw outcome.error
    if (outcome.kind !== 'done') await bury(identity, farewell.handler, outcome.error, deps)
    await deps.table.end(identity)
  } finally {
    clearInterval(keeper)
  }
}

async function keep(identity: IdentityRecord, { table, logger }: FarewellDeps): Promise<void> {
  try {
    await table.keep(identity)
  } catch (error) {
    logger.warn('farewell-not-kept', { tenant: identity.externalId, error })
  }
}

async function bury(identity: IdentityRecord, handler: string, error: unknown, deps: FarewellDeps): Promise<void> {
  const { binder, inbox, logger } = deps
  logger.error('farewell-failed', { tenant: identity.externalId, handler, error })
  const bound = binder.open(identity, 'read-only')
  try {
    await inbox.bury(bound.context, { handler, payload: 'null', error })
  } catch (cause) {
    // The change stands whether or not its dead letter could be written.
    logger.error('farewell-not-buried', { tenant: identity.externalId, handler, error: cause })
  } finally {
    bound.release()
  }
}
