/** Ids and secrets of one simulated host: cryptographic unless a seed asks for the same run again. */

import { createHash, randomBytes, randomInt } from 'node:crypto'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
/** Bytes from here up would make some characters likelier than others. */
const UNBIASED = 256 - (256 % ALPHABET.length)

export interface HostRandom {
  /** `count` letters and digits. */
  text(count: number): string
  uuid(): string
  /** Numeric ids grow by one; two hosts start at different places unless told otherwise. */
  nextId(): number
}

/**
 * @param seed    the same seed gives the same ids, secrets and tokens in the same order; left out: cryptographic randomness
 * @param firstId first numeric id; left out: somewhere between 1,000 and 1,000,000
 */
export function createHostRandom(seed?: string | number, firstId?: number): HostRandom {
  const bytes = seed === undefined ? randomBytes : seededBytes(String(seed))
  let next = firstId ?? (seed === undefined ? randomInt(1_000, 1_000_000) : 1_000 + (bytes(4).readUInt32BE() % 999_000))
  return {
    text: count => {
      let text = ''
      while (text.length < count) {
        for (const byte of bytes(count)) {
          if (byte < UNBIASED && text.length < count) text += ALPHABET.charAt(byte % ALPHABET.length)
        }
      }
      return text
    },
    uuid: () => {
      const raw = bytes(16)
      raw[6] = ((raw[6] ?? 0) & 0x0f) | 0x40
      raw[8] = ((raw[8] ?? 0) & 0x3f) | 0x80
      return raw.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
    },
    nextId: () => next++,
  }
}

function seededBytes(seed: string): (count: number) => Buffer {
  let block = 0
  return count => {
    const parts: Buffer[] = []
    for (let length = 0; length < count; length += 32) {
      parts.push(createHash('sha256').update(`${block++}:${seed}`).digest())
    }
    return Buffer.concat(parts).subarray(0, count)
  }
}
