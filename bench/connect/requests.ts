/** Page requests as a product's frame makes them: the documented parameters, and a token for exactly this address. */

import { createHmac, hash } from 'node:crypto'
import { getRequest } from '../pages/load.ts'

export interface Signer {
  readonly clientKey: string
  readonly secret: string
}

const PARAMETERS = new URLSearchParams({
  xdm_e: 'https://acme.atlassian.net',
  xdm_c: 'channel-com.example.bench__page',
  cp: '',
  xdm_deprecated_addon_key_do_not_use: 'com.example.bench',
  lic: 'active',
  cv: '1001.0.0-SNAPSHOT',
})
const TARGET = `/page?${PARAMETERS}`
/** Of the canonical request, which is the same for all: the names in order, the values in their one spelling. */
const QSH = hash('sha256', `GET&/page&${canonicalQuery()}`)
const HEADER = encode({ typ: 'JWT', alg: 'HS256' })
const TOKEN_SECONDS = 3_600

/** @param number  of the user, so that each token is another one */
export function pageRequest({ clientKey, secret }: Signer, number: number): Buffer {
  const now = Math.floor(Date.now() / 1_000)
  const claims = {
    iss: clientKey,
    sub: `557058:user-${number}`,
    iat: now,
    exp: now + TOKEN_SECONDS,
    qsh: QSH,
    context: {},
  }
  const input = `${HEADER}.${encode(claims)}`
  return getRequest(`${TARGET}&jwt=${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`)
}

function canonicalQuery(): string {
  return [...PARAMETERS]
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    .sort()
    .join('&')
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
