/** What a proved request says about who sent it: the same facts in every dialect. Types only. */

import type { IdentityRecord } from '../../core/tenant.ts'
import type { JsonRecord } from '../../wire/jws.ts'
import type { Session } from '../../wire/session-token.ts'

/** Seconds are epoch seconds. */
export interface Principal {
  readonly identity: IdentityRecord
  /** The compact token, for the replay key of deliveries. */
  readonly token: string
  readonly issuedAt: number
  readonly expiresAt: number
  readonly tokenId: string | undefined
  readonly userId: string | undefined
  /** As the host sent it; `undefined` when it sent none. */
  readonly context: JsonRecord | undefined
  /** Present when the request came with one of our own session tokens. */
  readonly session: Session | undefined
}
