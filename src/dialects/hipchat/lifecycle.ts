/** The end of an installation, by whichever way it became known: the host's request, or its token endpoint. */

import type { DialectDeps } from '../../core/dialect.ts'
import type { IdentityRecord } from '../../core/tenant.ts'
import { applyUninstall, type LifecycleListeners } from '../common/lifecycle.ts'
import type { AddonSettings } from './options.ts'
import { identityKey } from './principal.ts'
import type { WebhookDefinitions } from './webhook-definitions.ts'

export interface LifecycleDeps extends DialectDeps, LifecycleListeners {
  readonly settings: AddonSettings
  readonly definitions: WebhookDefinitions
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
  const change = {
    key: identityKey(deps.settings, identity.externalId),
    at: deps.clock.now(),
    isOrderedByArrival: true,
    reason,
    expect: identity.version,
  }
  await applyUninstall(change, deps)
}
