/**
 * The end of an installation, by whichever way it became known: the host's request, or its token endpoint.
 *
 * Order (design: uninstall handlers): the change is committed together with what is owed to the listeners, so that all else
 * stops and no crash loses them; the listeners run once with a read-only store and no outbound calls; every process has
 * acknowledged; data that is due is erased. A failing listener changes nothing.
 */

import type { DialectDeps } from '../../core/dialect.ts'
import type { IdentityRecord } from '../../core/tenant.ts'
import type { AddonSettings } from './options.ts'
import { identityKey } from './principal.ts'
import type { WebhookDefinitions } from './webhook-definitions.ts'

export interface LifecycleDeps extends DialectDeps {
  readonly settings: AddonSettings
  readonly definitions: WebhookDefinitions
  /** Handler name of the deliveries that run `onInstalled`. */
  readonly installHandler: string
  /** Handler name of the farewells that run `onUninstalled`, and of their dead letters. */
  readonly uninstallHandler: string
  readonly hasInstallListeners: () => boolean
  readonly hasUninstallListeners: () => boolean
}

/**
 * @param identity  as it was when the host was asked; a newer version of it is not touched
 * @throws PartywallError ERR_INSTALL_CONFLICT the identity has changed meanwhile; ERR_TENANT_HELD another process still runs
 *   the listeners; ERR_STORE_UNAVAILABLE
 */
export async function endInstallation(
  identity: IdentityRecord,
  reason: 'uninstall' | 'host-revoked',
  deps: LifecycleDeps,
): Promise<void> {
  const owed = deps.hasUninstallListeners() ? deps.uninstallHandler : undefined
  const result = await deps.registry.apply({
    kind: 'uninstall',
    key: identityKey(deps.settings, identity.externalId),
    at: deps.clock.now(),
    isOrderedByArrival: true,
    reason,
    expect: identity.version,
    ...(owed === undefined ? {} : { farewell: owed }),
  })
  deps.tokens.forget(identity)
  const ended = result.identity ?? identity
  // Ended before: perhaps a process died before the listeners had run, or they run elsewhere just now.
  if (result.outcome !== 'changed') await deps.farewells.complete(ended)
  else if (owed !== undefined) await deps.farewells.complete(ended, owed)
  await result.settled()
  await deps.eraseIfDue(ended)
}
