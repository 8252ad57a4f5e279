/** Makes request tokens: correct ones with an independent library, and wrong ones byte by byte. */

import { createHmac, randomUUID } from 'node:crypto'
import { SignJWT } from 'jose'

export type Claims = Readonly<Record<string, unknown>>

export const nowSeconds = (): number => Math.floor(Date.now() / 1000)

/** The claims a host sends for tenant `id`, with `changes` on top; a change to `undefined` leaves the claim out. */
export function claimsOf(id: unknown, changes: Claims = {}): Claims {
  const now = nowSeconds()
  return { iss: id, sub: '42', iat: now, exp: now + 600, jti: randomUUID(), context: { room_id: 7 }, ...changes }
}

/** A token as the host would send it. */
export function sign(id: unknown, secret: string, changes: Claims = {}): Promise<string> {
  return new SignJWT({ ...claimsOf(id, changes) })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .sign(new TextEncoder().encode(secret))
}

export const base64url = (value: string | Buffer): string => Buffer.from(value).toString('base64url')

export const mac = (input: string, secret: string | Buffer, hash = 'sha256'): string =>
  createHmac(hash, secret).update(input).digest('base64url')

/** Signs any two texts (or bytes) with HMAC, whatever they say. */
export function compact(header: string | Buffer, payload: string | Buffer, secret: string | Buffer, hash = 'sha256') {
  const input = `${base64url(header)}.${base64url(payload)}`
  return `${input}.${mac(input, secret, hash)}`
}

/** Signs JSON with a header of the caller's choice. */
export function compactJson(header: unknown, payload: unknown, secret: string, hash = 'sha256'): string {
  return compact(JSON.stringify(header), JSON.stringify(payload), secret, hash)
}
