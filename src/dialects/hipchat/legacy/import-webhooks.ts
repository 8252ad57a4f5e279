/**
 * Webhooks that an old tenant registered at run time. The host still has them under their ids, but delivers them to an address
 * with the old library's token and without a signature: they are refused here until they are registered anew.
 */

import { isPartywallError } from '../../../core/errors.ts'
import type { TenantWebhook } from '../tenant-webhooks.ts'
import { isWebhookEvent } from '../webhook-event.ts'
import type { ImportStores } from './import-installation.ts'
import type { WebhookReport } from './import-report.ts'
import { isAboutTheStore } from './import-values.ts'
import type { OldTenant, OldWebhook } from './old-store.ts'

/**
 * Remembers a registration under its old name, and with `reregister` replaces it at the host. A host that does not take it
 * leaves it remembered.
 *
 * @param stores  of the tenant; left out: a dry run
 */
export async function importWebhook(
  old: OldWebhook,
  tenant: OldTenant,
  reregister: boolean,
  stores: ImportStores | undefined,
): Promise<WebhookReport> {
  const { name, event, id } = old
  const facts = { name, event, ...(old.pattern ? { pattern: old.pattern } : {}) }
  // The old library knew no other events, and did not keep the room: only a room installation says which it was.
  if (!isWebhookEvent(event) || tenant.room == null) return { ...facts, state: 'refused', code: 'ERR_WEBHOOK_INVALID' }
  if (stores === undefined) return { ...facts, state: 'remembered' }
  try {
    await remember({ ...facts, event, room: tenant.room, id }, stores)
    if (!reregister) return { ...facts, state: 'remembered' }
    await stores.tenantWebhooks.add(tenant.room, facts)
    await stores.tenantWebhooks.remove(name)
    return { ...facts, state: 'registered' }
  } catch (error) {
    if (!isPartywallError(error) || isAboutTheStore(error)) throw error
    return { ...facts, state: 'refused', code: error.code }
  }
}

async function remember(webhook: TenantWebhook, { webhooks }: ImportStores): Promise<void> {
  try {
    const { pattern, ...rest } = webhook
    await webhooks.set(webhook.name, pattern === undefined ? rest : { ...rest, pattern }, { ifVersion: 0 })
  } catch (error) {
    if (!isPartywallError(error, 'ERR_VERSION_CONFLICT')) throw error
  }
}
