/** How an installation came, and what its `onInstalled` listeners hear of that. */

import * as z from 'zod'
import type { JsonValue } from '../../core/tenant.ts'

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

/** @param payload of a delivery that `announceInstall` of the dialects' common part made */
export function readInstallationFacts(payload: JsonValue): InstallationFacts {
  const { kind, relayState } = payloadShape.parse(payload)
  return Object.freeze({ kind, relayState })
}
