/**
 * A replaced secret that still verifies for a while, where an author wants that: requests signed before a re-install may be on their
 * way. It never signs, and it ends by time.
 */

import type { KeyObject } from 'node:crypto'
import type { IdentityRecord } from '../../core/tenant.ts'
import { hs256Key } from '../../wire/jws.ts'
import type { ConnectSettings } from './options.ts'
import { attributesOf } from './tenant.ts'

/** Name of the sealed secret. */
const PREVIOUS = 'previousSecret'

export interface Overlap {
  readonly secrets: Readonly<Record<string, string>>
  readonly attributes: { readonly previousSecretUntil?: number }
}

/** What an install adds that replaces a secret. @param now epoch milliseconds */
export function overlapOf(
  before: IdentityRecord | undefined,
  secret: string,
  now: number,
  { secretOverlapSeconds }: Pick<ConnectSettings, 'secretOverlapSeconds'>,
): Overlap {
  const previous = before?.secrets.get('secret')
  if (secretOverlapSeconds === 0 || previous === undefined || previous === secret)
    return { secrets: {}, attributes: {} }
  return { secrets: { [PREVIOUS]: previous }, attributes: { previousSecretUntil: now + secretOverlapSeconds * 1000 } }
}

/** The key that still counts beside the newest; `undefined` where there is none. @param now epoch milliseconds */
export function previousKeyOf(
  identity: IdentityRecord,
  now: number,
  { secretOverlapSeconds }: Pick<ConnectSettings, 'secretOverlapSeconds'>,
): KeyObject | undefined {
  if (secretOverlapSeconds === 0) return undefined
  const { previousSecretUntil } = attributesOf(identity)
  return previousSecretUntil !== undefined && now < previousSecretUntil
    ? hs256Key(identity.secrets.get(PREVIOUS))
    : undefined
}
