/**
 * Makers of answers: JSON, text, HTML, nothing, redirect, and the one translation of an error into what a caller sees.
 * Headers are flat lists with the length included. Nothing here writes to a socket.
 */

import { type ErrorCode, isPartywallError, PartywallError } from '../core/errors.ts'
import { headerOf } from '../core/header-list.ts'
import type { Answer } from './view.ts'

/** What every answer carries that depends on who asks: no cache keeps it, no address leaks from it, no type is guessed. */
export const PRIVATE_HEADERS: readonly string[] = [
  'cache-control',
  'no-store',
  'referrer-policy',
  'no-referrer',
  'x-content-type-options',
  'nosniff',
]

const DEFAULT_RETRY_SECONDS: Readonly<Record<number, number>> = { 429: 1, 503: 5 }
const SAFE_LOCATION = /^[\x21-\x5b\x5d-\x7e]+$/

export const jsonAnswer = (status: number, value: unknown, headers: readonly string[] = []): Answer =>
  answer(status, 'application/json; charset=utf-8', JSON.stringify(value), headers)

export const textAnswer = (status: number, body: string, headers: readonly string[] = []): Answer =>
  answer(status, 'text/plain; charset=utf-8', body, headers)

export const htmlAnswer = (status: number, body: string, headers: readonly string[] = []): Answer =>
  answer(status, 'text/html; charset=utf-8', body, headers)

export const emptyAnswer = (status = 204, headers: readonly string[] = []): Answer => ({
  status,
  headers: status === 204 || status === 304 ? headers : ['content-length', '0', ...headers],
  body: undefined,
})

/**
 * @param location  absolute or starting with `/`; visible ASCII without back slash, percent-encoded by the caller
 * @throws TypeError when it holds other characters
 */
export function redirectAnswer(location: string, status: 302 | 303 | 307 | 308 = 303): Answer {
  if (!SAFE_LOCATION.test(location)) throw new TypeError('location: visible ASCII without back slashes expected')
  return emptyAnswer(status, ['location', location])
}

/** The same answer with more headers behind its own. */
export const withHeaders = (base: Answer, headers: readonly string[]): Answer => ({
  ...base,
  headers: [...base.headers, ...headers],
})

/**
 * What a caller sees of an error: `{ "error": { "code", "message" } }` with the registry's sentence. Message, cause, details
 * and stack stay behind; an error that is not ours is ERR_INTERNAL. Asks for `JWT` on 401, says when to retry on 429 and 503.
 */
export function errorAnswer(error: unknown): Answer {
  const known = isPartywallError(error) ? error : new PartywallError('ERR_INTERNAL')
  if (known.retryAfterSeconds === undefined) return plainErrorAnswer(known)
  return buildErrorAnswer(known)
}

/**
 * Adds PRIVATE_HEADERS where they are missing; `cache-control` must forbid shared caches, else it is replaced.
 */
export function ensurePrivate(base: Answer): Answer {
  if (base.headers === PRIVATE_HEADERS) return base
  const cacheControl = headerOf(base.headers, 'cache-control')
  const missing: string[] = []
  if (cacheControl === undefined) missing.push('cache-control', 'no-store')
  if (headerOf(base.headers, 'referrer-policy') === undefined) missing.push('referrer-policy', 'no-referrer')
  if (headerOf(base.headers, 'x-content-type-options') === undefined) missing.push('x-content-type-options', 'nosniff')
  if (cacheControl !== undefined && !isPrivateCache(cacheControl)) {
    return {
      ...base,
      headers: [...withoutHeader(base.headers, 'cache-control'), 'cache-control', 'no-store', ...missing],
    }
  }
  return missing.length === 0 ? base : withHeaders(base, missing)
}

/** True when no shared cache may keep the answer. */
export const isPrivateCache = (cacheControl: string): boolean =>
  /(?:^|[\s,])(?:no-store|private)(?:$|[\s,])/i.test(cacheControl)

// One answer per code, made when it is first needed: a flood of refusals must not pay for JSON.
const plainErrors = new Map<ErrorCode, Answer>()

function plainErrorAnswer(error: PartywallError): Answer {
  const kept = plainErrors.get(error.code)
  if (kept !== undefined) return kept
  const made = buildErrorAnswer(error)
  plainErrors.set(error.code, made)
  return made
}

function buildErrorAnswer(error: PartywallError): Answer {
  const headers = [...PRIVATE_HEADERS]
  if (error.status === 401) headers.push('www-authenticate', 'JWT')
  const retryAfter = error.retryAfterSeconds ?? DEFAULT_RETRY_SECONDS[error.status]
  if (retryAfter !== undefined) headers.push('retry-after', String(Math.max(1, Math.ceil(retryAfter))))
  return jsonAnswer(error.status, { error: { code: error.code, message: error.publicMessage } }, headers)
}

function answer(status: number, type: string, body: string, headers: readonly string[]): Answer {
  return {
    status,
    headers: ['content-type', type, 'content-length', String(Buffer.byteLength(body)), ...headers],
    body,
  }
}

function withoutHeader(headers: readonly string[], name: string): string[] {
  const kept: string[] = []
  for (let index = 0; index < headers.length; index += 2) {
    const key = headers[index] ?? ''
    if (key.toLowerCase() !== name) kept.push(key, headers[index + 1] ?? '')
  }
  return kept
}
