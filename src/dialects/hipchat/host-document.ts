/** JSON that a host serves: fetched once, without redirects, bounded in time and size. What it says is for the caller to check. */

import type { DialectDeps } from '../../core/dialect.ts'
import { isPartywallError, PartywallError } from '../../core/errors.ts'

const TIMEOUT_MS = 4_000
const MAX_BYTES = 262_144

/** Why a document is none; `status` where the host answered another one than 200. */
export type Flaw = { readonly kind: 'size' | 'not JSON' } | { readonly kind: 'status'; readonly status: number }

/**
 * @param url      of a host that is allowed
 * @param refusal  the error that says what is wrong with the document
 * @throws PartywallError what `refusal` makes; ERR_INSTALL_HOST_REFUSED where the address is not allowed;
 *   ERR_OUTBOUND_* and ERR_HOST_RESPONSE (503) where the host cannot be asked
 */
export async function fetchHostDocument(
  url: URL,
  deps: Pick<DialectDeps, 'outbound'>,
  refusal: (flaw: Flaw) => PartywallError,
): Promise<unknown> {
  const body = await fetchBody(url, deps, refusal)
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    // What the parser says would quote the document to whoever reads the log; that it is none is all we need.
    throw refusal({ kind: 'not JSON' })
  }
}

async function fetchBody(
  url: URL,
  { outbound }: Pick<DialectDeps, 'outbound'>,
  refusal: (flaw: Flaw) => PartywallError,
): Promise<Buffer> {
  try {
    const { status, body } = await outbound.request({
      url: url.href,
      method: 'GET',
      headers: { accept: 'application/json' },
      allowedOrigins: [url.origin],
      timeoutMs: TIMEOUT_MS,
      maxBytes: MAX_BYTES,
    })
    if (status === 200) return body
    if (status === 429 || status >= 500) throw new PartywallError('ERR_HOST_RESPONSE', { details: { status } })
    throw refusal({ kind: 'status', status })
  } catch (error) {
    if (isPartywallError(error, 'ERR_OUTBOUND_REFUSED'))
      throw new PartywallError('ERR_INSTALL_HOST_REFUSED', { cause: error })
    if (isPartywallError(error, 'ERR_OUTBOUND_TOO_LARGE')) throw refusal({ kind: 'size' })
    throw error
  }
}
