/**
 * The lifecycle of an identity as a pure state machine: what is there and what happened -> what to do.
 *
 * Nothing here reads a clock, a database or a secret; `postgres/registry-apply` gathers the facts under a lock and writes
 * the decision in the same transaction.
 */

import { isDeepStrictEqual } from 'node:util'
import type { TenantChange } from './ports.ts'
import type { IdentityState, JsonObject, TenantHold } from './tenant.ts'

/** What is known of the identity when the change arrives. */
export interface PresentIdentity {
  readonly host: string
  readonly state: IdentityState
  readonly version: number
  /** Epoch milliseconds of the newest accepted event. */
  readonly orderedAt: number
  readonly attributes: JsonObject
  readonly hold: TenantHold
  /** False once the policy says that the data is gone, whether or not it has been erased yet. */
  readonly isRestorable: boolean
  /** Whether every secret the change carries equals the stored one. Read for installs only. */
  readonly hasSameSecrets: boolean
}

/** What is remembered of the token that carried the change. */
export type TokenUse = 'first' | 'same-body' | 'other-body'

export interface Write {
  readonly state: IdentityState
  readonly rotatesSecret: boolean
  /** Something that was allowed before is not any more: a live identity ended, or a secret was replaced. */
  readonly takesRights: boolean
  readonly orderedAt: number
}

export type Decision =
  /** `replaces`: an uninstalled identity of that name is there, and its data must not come back. */
  | { readonly kind: 'create'; readonly replaces: boolean }
  | ({ readonly kind: 'change' | 'restore' } & Write)
  /** `orderedAt` is set where the event is newer than the newest accepted one and confirms the state. */
  | { readonly kind: 'unchanged'; readonly orderedAt?: number }
  | { readonly kind: 'stale' | 'unknown' }
  | { readonly kind: 'replayed' | 'held' }
  | { readonly kind: 'conflict'; readonly reason: 'host' | 'expectation' | 'retired' }

/**
 * Decides what a change does. The same event again never has a second effect; events older than the newest accepted one
 * never change anything; of two events with equal times the later arrival counts.
 *
 * @param present  the identity as it is, `undefined` when unknown
 * @param tokenUse whether the change's token was seen before, and with which body
 */
export function decide(present: PresentIdentity | undefined, change: TenantChange, tokenUse: TokenUse): Decision {
  if (tokenUse === 'other-body') return { kind: 'replayed' }
  if (present === undefined) return decideUnknown(change)
  if (tokenUse === 'same-body') return { kind: 'unchanged' }
  if (change.kind === 'install' && change.host !== present.host) return { kind: 'conflict', reason: 'host' }
  const at = change.isOrderedByArrival === true ? Math.max(change.at, present.orderedAt) : change.at
  if (at < present.orderedAt) return { kind: 'stale' }
  return change.kind === 'install' ? decideInstall(present, change, at) : decideState(present, change, at)
}

function decideUnknown(change: TenantChange): Decision {
  if (change.kind !== 'install') return { kind: 'unknown' }
  const isExpected = change.expect === undefined || change.expect === 'absent'
  return isExpected ? { kind: 'create', replaces: false } : { kind: 'conflict', reason: 'expectation' }
}

function decideInstall(present: PresentIdentity, change: TenantChange & { kind: 'install' }, at: number): Decision {
  if (present.state === 'retired') return { kind: 'conflict', reason: 'retired' }
  // An update of a running installation does not ask its host to enable it again.
  const state = present.state === 'enabled' ? 'enabled' : change.state
  const isSame =
    present.state === state && present.hasSameSecrets && isDeepStrictEqual(present.attributes, change.attributes)
  if (isSame && present.hold === 'none') return unchanged(present, at)
  if (!meets(change.expect, present)) return { kind: 'conflict', reason: 'expectation' }
  if (present.state === 'uninstalled' && !present.isRestorable) return { kind: 'create', replaces: true }
  if (present.hold !== 'none') return { kind: 'held' }
  const rotatesSecret = !present.hasSameSecrets
  const kind = present.state === 'uninstalled' ? 'restore' : 'change'
  return { kind, state, rotatesSecret, takesRights: rotatesSecret, orderedAt: at }
}

function decideState(
  present: PresentIdentity,
  change: Exclude<TenantChange, { kind: 'install' }>,
  at: number,
): Decision {
  const hasEnded = present.state === 'uninstalled' || present.state === 'retired'
  const state = STATE_AFTER[change.kind]
  if (present.state === state) return unchanged(present, at)
  // An uninstalled identity is neither enabled nor disabled by an event; only an install brings it back.
  if (hasEnded) return { kind: 'unchanged' }
  if (!meets(change.expect, present)) return { kind: 'conflict', reason: 'expectation' }
  if (present.hold !== 'none') return { kind: 'held' }
  return { kind: 'change', state, rotatesSecret: false, takesRights: state !== 'enabled', orderedAt: at }
}

const STATE_AFTER = { enable: 'enabled', disable: 'disabled', uninstall: 'uninstalled' } as const

const unchanged = (present: PresentIdentity, at: number): Decision =>
  at > present.orderedAt ? { kind: 'unchanged', orderedAt: at } : { kind: 'unchanged' }

const meets = (expect: number | 'absent' | undefined, present: PresentIdentity): boolean =>
  expect === undefined || expect === present.version
