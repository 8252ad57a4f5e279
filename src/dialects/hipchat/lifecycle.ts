/**
 * The end of an installation, by whichever way it became known: the host's request, or its token endpoint.
 *
 * Order (design: uninstall handlers): the change is committed, so that all else stops; the listeners run once with a read-only
 * store and no outbound calls; every process has acknowledged; data that is due is erased. A failing listener changes nothing.
 */

import type { TenantContext } from '../../core/context.ts'
import type { DialectDeps } from '../../core/dialect.ts'
import { PartywallError } from '../../core/errors.ts'
import type { IdentityRecord } from '../../core/tenant.ts'
import type { AddonSettings } from './options.ts'
import { identityKey } from './principal.ts'

export interface LifecycleDeps extends DialectDeps {
  readonly settings: AddonSettings
  /** Handler name of the deliveries that run `onInstalled`. */
  readonly installHandler: string
  /** Under this name the dead letters of `onUninstalled` listeners are kept. */
  readonly uninstallHandler: string
  readonly hasInstallListeners: () => boolean
  /** Runs every `onUninstalled` listener; rejects when one failed. */
  readonly runUninstallListeners: (context: TenantContext) => Promise<void>
}

const LISTENER_TIMEOUT_MS = 5_000

/**
 * @param identity  as it was when the host was asked; a newer version of it is not touched
 * @throws PartywallError ERR_INSTALL_CONFLICT the identity has changed meanwhile; ERR_STORE_UNAVAILABLE
 */
export async function endInstallation(
  identity: IdentityRecord,
  reason: 'uninstall' | 'host-revoked',
  deps: LifecycleDeps,
): Promise<void> {
  const result = await deps.registry.apply({
    kind: 'uninstall',
    key: identityKey(deps.settings, identity.externalId),
    at: deps.clock.now(),
    isOrderedByArrival: true,
    reason,
    expect: identity.version,
  })
  deps.tokens.forget(identity)
  const ended = result.identity ?? identity
  if (result.outcome === 'changed') await runListeners(ended, deps)
  await result.settled()
  await deps.eraseIfDue(ended)
}

async function runListeners(identity: IdentityRecord, deps: LifecycleDeps): Promise<void> {
  await deps.binder.run(
    identity,
    async context => {
      try {
        await withinTime(deps.runUninstallListeners(context))
      } catch (error) {
        deps.logger.error('hipchat-uninstall-listener-failed', { tenant: identity.externalId, error })
        await bury(context, error, deps)
      }
    },
    'read-only',
  )
}

async function bury(context: TenantContext, error: unknown, deps: LifecycleDeps): Promise<void> {
  const payload = JSON.stringify({ tenant: context.identity.externalId })
  try {
    await deps.inbox.bury(context, { handler: deps.uninstallHandler, payload, error })
  } catch (cause) {
    // The uninstall stands whether or not its dead letter could be written.
    deps.logger.error('hipchat-dead-letter-failed', { tenant: context.identity.externalId, error: cause })
  }
}

async function withinTime(work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new PartywallError('ERR_HANDLER_TIMEOUT')), LISTENER_TIMEOUT_MS)
  })
  try {
    await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
