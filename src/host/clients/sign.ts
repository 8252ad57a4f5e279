/** Signs the host's tokens: HS256, keyed by the UTF-8 bytes of the OAuth secret. */

import { signHs256 } from '../../wire/jws.ts'

/** @param claims values that are `undefined` are left out */
export const signToken = (claims: Readonly<Record<string, unknown>>, secret: string): string =>
  signHs256({ typ: 'JWT' }, JSON.parse(JSON.stringify(claims)), secret)
