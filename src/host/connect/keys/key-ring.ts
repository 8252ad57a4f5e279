/** The host's signing keys for installs, and what its key server says of them. Made when first needed: a key costs time. */

import { generateKeyPair, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import { signRs256 } from '../../../wire/jws.ts'
import type { HostRandom } from '../../random.ts'

const generate = promisify(generateKeyPair)

export interface SigningKey {
  readonly kid: string
  readonly publicKeyPem: string
  readonly privateKey: KeyObject
}

export interface KeyRing {
  current(): Promise<SigningKey>
  /** A new key signs from now on; with `keepOld: false` the key server forgets the former ones. */
  rotate(options?: { readonly keepOld?: boolean }): Promise<SigningKey>
  /** PEM of a key that is still published. */
  publicKeyPem(kid: string): string | undefined
  /** @param header further members; `kid` of its own replaces the ring's */
  sign(claims: Readonly<Record<string, unknown>>, header?: Readonly<Record<string, unknown>>): Promise<string>
}

export function createKeyRing(random: HostRandom): KeyRing {
  const published = new Map<string, SigningKey>()
  let newest: Promise<SigningKey> | undefined
  const make = async (): Promise<SigningKey> => {
    const kid = random.uuid()
    const { publicKey, privateKey } = await generate('rsa', { modulusLength: 2048 })
    const key = { kid, privateKey, publicKeyPem: String(publicKey.export({ type: 'spki', format: 'pem' })) }
    published.set(kid, key)
    return key
  }
  const current = (): Promise<SigningKey> => {
    newest ??= make()
    return newest
  }
  return {
    current,
    rotate: async ({ keepOld = true } = {}) => {
      await newest
      if (!keepOld) published.clear()
      newest = make()
      return newest
    },
    publicKeyPem: kid => published.get(kid)?.publicKeyPem,
    sign: async (claims, header = {}) => {
      const { kid, privateKey } = await current()
      return signRs256({ typ: 'JWT', kid, ...header }, claims, privateKey)
    },
  }
}
