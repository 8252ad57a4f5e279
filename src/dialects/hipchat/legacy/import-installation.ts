/**
 * The add-on's door for an import: one old tenant record becomes an installation like any other, and its stores can be filled.
 *
 * An operator's act, run from a script. The record proves nothing: it is checked like the body and the document of an install,
 * and its credentials count only when the host honours them.
 */

import { PartywallError } from '../../../core/errors.ts'
import type { TenantStore } from '../../../core/store.ts'
import { type IdentityRecord, isLive } from '../../../core/tenant.ts'
import { checkLinks } from '../capabilities.ts'
import { checkHostUrl } from '../host-address.ts'
import { changeOf, checkBinding, proveAndStore, readInstallable } from '../install.ts'
import type { LifecycleDeps } from '../lifecycle.ts'
import { identityKey } from '../principal.ts'
import { createTenantClient } from '../tenant-client.ts'
import { createTenantWebhooks, type TenantWebhooks } from '../tenant-webhooks.ts'
import type { OldTenant } from './old-store.ts'

export interface ImportInstallationOptions {
  /** False: the host is gone and is not asked; whoever runs the import answers for the records. Default true. */
  readonly verify?: boolean
  /** Checks the record and changes nothing. Default false. */
  readonly dryRun?: boolean
}

export interface ImportedInstallation {
  /**
   * `present`: it is installed here, with credentials of its own that stay · `created` · `restored`: it had been uninstalled
   * here, and the host honours it · `checked`: a dry run.
   */
  readonly outcome: 'present' | 'created' | 'restored' | 'checked'
  /** Runs bound to the tenant. @throws PartywallError ERR_TENANT_DISABLED when it has ended, or was only checked */
  run<T>(work: (stores: ImportStores) => Promise<T>): Promise<T>
}

export interface ImportStores {
  /** What `tenantStore` is to the add-on. */
  readonly data: TenantStore
  /** Definitions of webhooks registered at run time, as `tenantWebhooks` keeps them. */
  readonly webhooks: TenantStore
  /** Notes of the import itself. */
  readonly notes: TenantStore
  readonly tenantWebhooks: TenantWebhooks
}

/**
 * Makes sure that an old tenant is installed. `onInstalled` listeners hear nothing: nobody has installed anything.
 *
 * @throws PartywallError what an install throws (ERR_INSTALL_*, ERR_OUTBOUND_*, ERR_HOST_RESPONSE); ERR_TENANT_DISABLED for one
 *   that an operator switched off here; ERR_INSTALL_CONFLICT for one that was uninstalled here, where the host is not asked
 */
export async function importInstallation(
  old: OldTenant,
  { verify = true, dryRun = false }: ImportInstallationOptions = {},
  deps: LifecycleDeps,
): Promise<ImportedInstallation> {
  const body = readInstallable({
    oauthId: old.id,
    oauthSecret: old.secret,
    capabilitiesUrl: old.links.capabilities,
    groupId: old.group,
    roomId: old.room,
  })
  const url = checkHostUrl(body.capabilitiesUrl, 'capabilitiesUrl', deps.settings)
  const links = checkLinks(old.links, url, body.capabilitiesUrl)
  const present = await deps.registry.findFresh(identityKey(deps.settings, body.oauthId))
  checkBinding(present, body, url.host)
  if (present?.state === 'disabled') throw new PartywallError('ERR_TENANT_DISABLED')
  if (present !== undefined && isLive(present)) return imported('present', present, deps)
  if (!verify && present !== undefined) throw new PartywallError('ERR_INSTALL_CONFLICT')
  if (dryRun) return imported('checked', present, deps)
  const { outcome, identity } = verify
    ? await proveAndStore(body, deps, { isImport: true })
    : await deps.registry.apply(changeOf({ body, host: url.host, links }, undefined, deps, { isImport: true }))
  return imported(outcome === 'restored' ? 'restored' : 'created', identity, deps)
}

function imported(
  outcome: ImportedInstallation['outcome'],
  opened: IdentityRecord | undefined,
  deps: LifecycleDeps,
): ImportedInstallation {
  return {
    outcome,
    async run(work) {
      // Looked up anew: an import may outlast an update of the installation, but not its end.
      const current = opened && (await deps.registry.find(identityKey(deps.settings, opened.externalId)))
      if (current === undefined || current.tenantUid !== opened?.tenantUid) {
        throw new PartywallError('ERR_TENANT_DISABLED')
      }
      return deps.binder.run(current, context =>
        work({
          data: deps.storeOf(context, 'store'),
          webhooks: deps.storeOf(context, 'webhook'),
          notes: deps.storeOf(context, 'internal'),
          tenantWebhooks: createTenantWebhooks(context, createTenantClient(context, deps), deps),
        }),
      )
    },
  }
}
