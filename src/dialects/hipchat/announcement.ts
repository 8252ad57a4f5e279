/**
 * What `onInstalled` listeners hear of an installation, as a delivery like any other: durable before the host is answered, once
 * per version of the identity, retried.
 */

import { createHash } from 'node:crypto'
import * as z from 'zod'
import type { ChangeResult } from '../../core/ports.ts'
import type { IdentityRecord, JsonValue } from '../../core/tenant.ts'
import type { LifecycleDeps } from './lifecycle.ts'

/** What is known of the way an installation came, besides its document. */
export interface Arrival {
  /** Of the address that served the document; its host must be that of the installation. */
  readonly origin?: string
  /** As whoever began the install gave it to the host. */
  readonly relayState?: string
  /** Moved here from an old store: nobody has installed anything, and no listener hears of it. */
  readonly isImport?: boolean
}

/** For listeners: what has happened to the installation. */
export interface InstallationFacts {
  readonly kind: 'install' | 'update'
  /** What `installUrl` was given, where the host brought it back; not signed by anybody. */
  readonly relayState: string | undefined
}

const payloadShape = z.object({ kind: z.enum(['install', 'update']), relayState: z.string().optional() })

/** A host that saw no 2xx sends the same installation again within this time. */
const RETRY_WINDOW_MS = 3_600_000

export async function announceInstall(
  { outcome, identity }: ChangeResult,
  before: IdentityRecord | undefined,
  { relayState }: Arrival,
  deps: LifecycleDeps,
): Promise<void> {
  if (identity === undefined || !deps.hasInstallListeners()) return
  // Unchanged: perhaps a process died between commit and delivery. The retry key makes it once.
  if (outcome === 'unchanged' && deps.clock.now() - (before?.orderedAt ?? 0) > RETRY_WINDOW_MS) return
  const isUpdate = outcome === 'changed' || (outcome === 'unchanged' && identity.version > 1)
  // A browser may bring the relay state after the host itself has told of the same installation: that is news.
  const name = ['installed', identity.uid, String(identity.version), ...(relayState === undefined ? [] : [relayState])]
  const delivery = {
    handler: deps.installHandler,
    payload: JSON.stringify({ kind: isUpdate ? 'update' : 'install', relayState }),
    retryKey: createHash('sha256').update(JSON.stringify(name)).digest(),
  }
  await deps.binder.run(identity, context => deps.inbox.accept(context, delivery))
}

/** @param payload of a delivery that `announceInstall` made */
export function readInstallationFacts(payload: JsonValue): InstallationFacts {
  const { kind, relayState } = payloadShape.parse(payload)
  return Object.freeze({ kind, relayState })
}
