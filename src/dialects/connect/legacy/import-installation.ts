/**
 * The app's door for an import: one old install record becomes an installation like any other, and its store can be filled.
 *
 * An operator's act, run from a script. The record proves nothing: it is checked like the body of an install, and its secret counts
 * only when the product honours it.
 */

import { PartywallError } from '../../../core/errors.ts'
import type { TenantStore } from '../../../core/store.ts'
import { type IdentityRecord, isLive } from '../../../core/tenant.ts'
import { hs256Key } from '../../../wire/jws.ts'
import { addonPath } from '../addon-state.ts'
import { attributesJson, checkEventBody, readInstallBody } from '../install-body.ts'
import { type LifecycleDeps, TRUST_DOMAIN } from '../lifecycle.ts'
import { identityKey } from '../principal.ts'
import { signAs } from '../product-token.ts'

export interface ImportInstallationOptions {
  /** False: the products are not asked; whoever runs the import answers for the records. Default true. */
  readonly verify?: boolean
  /** Checks the record and changes nothing. Default false. */
  readonly dryRun?: boolean
}

export interface ImportedInstallation {
  /** `present`: it is installed here, with a secret of its own that stays · `created` · `checked`: a dry run. */
  readonly outcome: 'present' | 'created' | 'checked'
  /** Runs bound to the tenant. @throws PartywallError ERR_TENANT_DISABLED when it has ended, or was only checked */
  run<T>(work: (data: TenantStore) => Promise<T>): Promise<T>
}

const TIMEOUT_MS = 10_000
const MAX_BYTES = 65_536
/** The product knows neither the app nor the site, or honours its word no more. */
const GONE: readonly number[] = [401, 403, 404]

/**
 * Makes sure that an old tenant is installed. `onInstalled` listeners hear nothing: nobody has installed anything.
 *
 * @throws PartywallError what the body of an install throws (ERR_INSTALL_INVALID, ERR_INSTALL_HOST_REFUSED, ERR_TENANT_MISMATCH);
 *   ERR_INSTALL_TOKEN_REFUSED the product does not honour the secret; ERR_HOST_RESPONSE, ERR_OUTBOUND_*; ERR_TENANT_DISABLED for one
 *   that is switched off here; ERR_INSTALL_CONFLICT for one that was uninstalled here: what is here is newer
 */
export async function importInstallation(
  record: unknown,
  { verify = true, dryRun = false }: ImportInstallationOptions,
  deps: LifecycleDeps,
): Promise<ImportedInstallation> {
  const { settings, registry } = deps
  const body = { ...(typeof record === 'object' ? record : {}), eventType: 'installed' }
  const clientKey = checkEventBody(body, 'installed', settings)
  const { secret, attributes } = readInstallBody(body, settings)
  const key = identityKey(settings, clientKey)
  const present = await registry.findFresh(key)
  if (present?.state === 'disabled') throw new PartywallError('ERR_TENANT_DISABLED')
  if (present !== undefined && isLive(present)) return imported('present', present, deps)
  if (present !== undefined) throw new PartywallError('ERR_INSTALL_CONFLICT')
  if (dryRun) return imported('checked', undefined, deps)
  if (verify) await requireHonoured({ clientKey, secret, baseUrl: attributes.baseUrl }, deps)
  const { identity } = await registry.apply({
    kind: 'install',
    key,
    // An event of the product is newer than the record, whenever it comes.
    at: 0,
    reason: 'import',
    host: settings.family === 'bitbucket' ? 'bitbucket.org' : TRUST_DOMAIN,
    secrets: { secret },
    attributes: attributesJson(attributes),
    state: 'enabled',
    expect: 'absent',
  })
  return imported('created', identity, deps)
}

/** The product answers a call signed with the secret. */
async function requireHonoured(
  { clientKey, secret, baseUrl }: { readonly clientKey: string; readonly secret: string; readonly baseUrl: string },
  { settings, outbound, clock }: LifecycleDeps,
): Promise<void> {
  const key = hs256Key(secret)
  if (key === undefined) throw new PartywallError('ERR_INSTALL_INVALID', { details: { path: 'sharedSecret' } })
  const url = new URL(baseUrl + addonPath(settings.key))
  const call = { method: 'GET', url, basePath: new URL(baseUrl).pathname }
  const { status } = await outbound.request({
    url: url.href,
    method: 'GET',
    headers: { authorization: `JWT ${signAs({ clientKey, key }, settings, call, clock.now())}` },
    allowedOrigins: [url.origin],
    timeoutMs: TIMEOUT_MS,
    maxBytes: MAX_BYTES,
  })
  if (GONE.includes(status)) throw new PartywallError('ERR_INSTALL_TOKEN_REFUSED')
  if (status !== 200) throw new PartywallError('ERR_HOST_RESPONSE', { details: { status } })
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
      if (current === undefined || current.tenantUid !== opened?.tenantUid)
        throw new PartywallError('ERR_TENANT_DISABLED')
      return deps.binder.run(current, context => work(deps.storeOf(context, 'store')))
    },
  }
}
