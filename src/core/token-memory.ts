/** OAuth tokens in this process's memory: bounded, by key, and forgotten by identity. Ages are monotonic milliseconds. */

import { LRUCache } from 'lru-cache'
import type { IdentityUid } from './ids.ts'
import type { StoredToken } from './ports.ts'

export interface KeptToken {
  readonly identity: IdentityUid
  readonly token: StoredToken
  /** From then on one caller asks for a new one, while the others still use this. */
  readonly refreshAt: number
  readonly expiresAt: number
}

export class TokenMemory {
  readonly #tokens: LRUCache<string, KeptToken>
  readonly #keys = new Map<IdentityUid, Set<string>>()

  constructor(maxEntries: number) {
    this.#tokens = new LRUCache({
      max: maxEntries,
      // Also for entries that the bound pushes out; a replaced one keeps its place in the index.
      dispose: (kept, key, reason) => {
        if (reason !== 'set') this.#unindex(kept.identity, key)
      },
    })
  }

  get(key: string): KeptToken | undefined {
    return this.#tokens.get(key)
  }

  set(key: string, kept: KeptToken): void {
    const keys = this.#keys.get(kept.identity)
    if (keys === undefined) this.#keys.set(kept.identity, new Set([key]))
    else keys.add(key)
    this.#tokens.set(key, kept)
  }

  delete(key: string): void {
    this.#tokens.delete(key)
  }

  forget(identity: IdentityUid): void {
    for (const key of [...(this.#keys.get(identity) ?? [])]) this.#tokens.delete(key)
  }

  #unindex(identity: IdentityUid, key: string): void {
    const keys = this.#keys.get(identity)
    keys?.delete(key)
    if (keys?.size === 0) this.#keys.delete(identity)
  }
}
