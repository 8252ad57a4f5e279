/**
 * What tokens that come again have proved before: saves taking them apart and checking signature and hash once more. Nothing
 * else is saved: whoever asks looks the tenant up again, its state, its version and the time.
 *
 * Tokens stand here by their SHA-256. Most tokens come once, so the first sighting costs a few operations and no memory.
 */

import { hash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { IdentityRecord } from '../../core/tenant.ts'
import type { Principal } from './principal.ts'

export interface ProvedToken {
  readonly principal: Principal
  /** Record of the identity the token was proved against: another one, of a newer version or read anew, proves nothing. */
  readonly identity: IdentityRecord
  /** Kind of route it was proved for. */
  readonly policy: string
  /** Target of the GET it was made for; `undefined`: it fits any request. */
  readonly target: string | undefined
}

const MAX_TOKENS = 10_000
/** A power of two. */
const SIGHTINGS = 8_192
/** Characters of the signature's end that a sighting is told apart by. */
const TAIL = 8

export class ProvedTokens {
  readonly #tokens = new LRUCache<string, ProvedToken>({ max: MAX_TOKENS })
  readonly #sightings = new Uint32Array(SIGHTINGS)

  /** @returns what is known of a token that was seen before, and what keeps it once it is proved: from its second time on */
  look(token: string): { readonly known: ProvedToken | undefined; keep(proved: ProvedToken): void } {
    if (!this.#wasSeen(token)) return SEEN_FIRST
    const key = hash('sha256', token, 'base64')
    return {
      known: this.#tokens.get(key),
      keep: proved => {
        this.#tokens.set(key, proved)
      },
    }
  }

  /** A guess: another token with the same mark costs one look for nothing. */
  #wasSeen(token: string): boolean {
    let mark = token.length
    for (let index = token.length - TAIL; index < token.length; index += 1)
      mark = (Math.imul(mark, 31) + token.charCodeAt(index)) >>> 0
    const place = mark & (SIGHTINGS - 1)
    if (this.#sightings[place] === mark) return true
    this.#sightings[place] = mark
    return false
  }
}

const SEEN_FIRST = { known: undefined, keep: () => undefined }
