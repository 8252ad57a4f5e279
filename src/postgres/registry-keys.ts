/** Identity keys as text: for maps, locks and messages. Different keys never give the same text. */

import { createHash } from 'node:crypto'
import type { IdentityKey } from '../core/tenant.ts'
import { textArray } from './parameters.ts'
import { injective } from './registry-injective.ts'

const MAX_EXTERNAL_ID_BYTES = 1_024

export const encodeKey = (key: IdentityKey): string => injective(key.app, key.environment, key.dialect, key.externalId)

/** The encoded key in 43 characters, for messages of bounded size. */
export const digestOf = (encodedKey: string): string =>
  createHash('sha256').update(encodedKey, 'utf8').digest('base64url')

/** False where no such identity can exist: texts the database cannot hold exactly. */
export const isStorableKey = (key: IdentityKey): boolean =>
  key.externalId.length > 0 &&
  Buffer.byteLength(key.externalId, 'utf8') <= MAX_EXTERNAL_ID_BYTES &&
  isStorableText(key.externalId) &&
  isStorableText(key.app) &&
  isStorableText(key.environment)

/** Well-formed and without U+0000, which PostgreSQL refuses. */
export const isStorableText = (text: string): boolean => !text.includes('\0') && !/\p{Surrogate}/u.test(text)

/** Keys as four arrays: apps, environments, dialects, external ids. */
export const keyArrays = (keys: readonly IdentityKey[]): readonly string[] =>
  [0, 1, 2, 3].map(column => textArray(keys.map(key => keyParameters(key)[column] ?? '')))

export const keyParameters = (key: IdentityKey): readonly [string, string, string, string] => [
  key.app,
  key.environment,
  key.dialect,
  key.externalId,
]
