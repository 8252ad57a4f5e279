/**
 * What follows a lifecycle change in every dialect: listeners of installs as deliveries, listeners of uninstalls as farewells,
 * the fence that every process passes, erasure that is due. Which change is right, and who may ask for it, the dialect knows.
 */

import { createHash } from 'node:crypto'
import type { DialectDeps } from '../../core/dialect.ts'
import type { ChangeResult, TenantChange } from '../../core/ports.ts'
import type { IdentityRecord, JsonObject } from '../../core/tenant.ts'

/** An add-on's listeners, as work. */
export interface LifecycleListeners {
  /** Handler name of the deliveries that run `onInstalled`. */
  readonly installHandler: string
  /** Handler name of the farewells that run `onUninstalled`, and of their dead letters. */
  readonly uninstallHandler: string
  readonly hasInstallListeners: () => boolean
  readonly hasUninstallListeners: () => boolean
}

type Uninstall = Extract<TenantChange, { kind: 'uninstall' }>
type Deps = DialectDeps & LifecycleListeners

/** A host that saw no 2xx sends the same installation again within this time. */
const RETRY_WINDOW_MS = 3_600_000

/**
 * Order: the change is committed together with what is owed to the listeners, so that all else stops and no crash loses them;
 * the listeners run once with a read-only store and no outbound calls; every process has acknowledged; data that is due is erased.
 * A failing listener changes nothing.
 * @throws PartywallError ERR_INSTALL_CONFLICT `expect` is not met · ERR_TENANT_HELD another process still runs the listeners ·
 *   ERR_STORE_UNAVAILABLE
 */
export async function applyUninstall(change: Omit<Uninstall, 'kind'>, deps: Deps): Promise<ChangeResult> {
  const owed = deps.hasUninstallListeners() ? deps.uninstallHandler : undefined
  const result = await deps.registry.apply({
    kind: 'uninstall',
    ...change,
    ...(owed === undefined ? {} : { farewell: owed }),
  })
  const { identity } = result
  if (identity === undefined || result.outcome === 'stale') return result
  deps.tokens.forget(identity)
  // Ended before: perhaps a process died before the listeners had run, or they run elsewhere just now.
  if (result.outcome !== 'changed') await deps.farewells.complete(identity)
  else if (owed !== undefined) await deps.farewells.complete(identity, owed)
  await result.settled()
  await deps.eraseIfDue(identity)
  return result
}

/** For listeners: what has happened to the installation. */
export type InstallKind = 'install' | 'update'

/**
 * The work of install listeners is a delivery like any other: durable before the 2xx, once per version of the identity, retried.
 * @param before  as it was before the change; `undefined` when it was unknown
 * @param facts  what else the listeners hear; other facts of the same version are news
 */
export async function announceInstall(
  result: ChangeResult,
  before: IdentityRecord | undefined,
  deps: Deps,
  facts: Readonly<Record<string, string>> = {},
): Promise<void> {
  if (!deps.hasInstallListeners()) return
  const isUpdate =
    result.outcome === 'changed' || (result.outcome === 'unchanged' && (result.identity?.version ?? 0) > 1)
  const kind: InstallKind = isUpdate ? 'update' : 'install'
  await announce(result, before, { event: 'installed', handler: deps.installHandler, facts, payload: { kind } }, deps)
}

export interface Announcement {
  readonly event: string
  /** Handler name of the delivery. */
  readonly handler: string
  readonly facts?: Readonly<Record<string, string>>
  readonly payload: JsonObject
}

/** Owes the listeners of a change a delivery, once per version of the identity; of a change without effect, within the hour. */
export async function announce(
  { outcome, identity }: ChangeResult,
  before: IdentityRecord | undefined,
  { event, handler, facts = {}, payload }: Announcement,
  deps: Pick<DialectDeps, 'clock' | 'binder' | 'inbox'>,
): Promise<void> {
  if (identity === undefined) return
  // Unchanged: perhaps a process died between commit and delivery. The retry key makes it once.
  if (outcome === 'unchanged' && deps.clock.now() - (before?.orderedAt ?? 0) > RETRY_WINDOW_MS) return
  const name = [event, identity.uid, String(identity.version), ...Object.values(facts)]
  const delivery = {
    handler,
    payload: JSON.stringify({ ...payload, ...facts }),
    retryKey: createHash('sha256').update(JSON.stringify(name)).digest(),
  }
  await deps.binder.run(identity, context => deps.inbox.accept(context, delivery))
}
