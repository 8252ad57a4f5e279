/**
 * What a host's answer is, in every dialect: its JSON, and a refusal as a coded error with the host's own message, cut and without
 * credentials or addresses of people. Where a host puts its message, and what it tells of its limits, the dialect knows.
 */

import { PartywallError } from '../../core/errors.ts'
import type { OutboundResponse } from '../../core/ports.ts'
import type { JsonValue } from '../../core/tenant.ts'
import { retryAfterSeconds } from '../../wire/retry-after.ts'

const MAX_MESSAGE_LENGTH = 200
const DEFAULT_WAIT_SECONDS = 60

/** What was asked, for the error. */
export interface Asked {
  readonly method: string
  /** As `describePath` tells it. */
  readonly path: string
  readonly expect: readonly number[]
}

/** What the dialect found in the answer. */
export interface Told {
  readonly hostMessage: string
  readonly details: Readonly<Record<string, string | number | boolean | undefined>>
}

/** `null` for an empty body, `undefined` for one that is not JSON. */
export function parseJson(body: Buffer): JsonValue | undefined {
  if (body.length === 0) return null
  try {
    return JSON.parse(body.toString('utf8')) as JsonValue
  } catch {
    // The caller decides whether that matters: on an error status it does not.
    return undefined
  }
}

/**
 * @param now  epoch milliseconds
 * @returns ERR_HOST_TOKEN_REFUSED (401), ERR_HOST_RATE_LIMITED (429), else ERR_HOST_RESPONSE
 */
export function refusalOf(answer: OutboundResponse, asked: Asked, told: Told, now: number): PartywallError {
  const { status, headers } = answer
  const hostMessage = safe(told.hostMessage)
  const message = `unexpected status ${status} of ${asked.method} ${asked.path}${hostMessage === '' ? '' : `: ${hostMessage}`}`
  const details = { status, method: asked.method, hostMessage, ...told.details }
  if (status === 401) return new PartywallError('ERR_HOST_TOKEN_REFUSED', { message, details })
  if (status !== 429) return new PartywallError('ERR_HOST_RESPONSE', { message, details })
  const wait = retryAfterSeconds(headers, now) ?? DEFAULT_WAIT_SECONDS
  return new PartywallError('ERR_HOST_RATE_LIMITED', { message, details, retryAfterSeconds: wait })
}

export const notJson = ({ method, path }: Asked, status: number) =>
  new PartywallError('ERR_HOST_RESPONSE', {
    message: `the host answered ${method} ${path} with something that is not JSON`,
    details: { status, method },
  })

/** An own member of an object, whatever the value is. */
export const member = (value: JsonValue | undefined, name: string): JsonValue | undefined =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as { readonly [key: string]: JsonValue })[name]
    : undefined

/** A host may repeat what it was sent: anything long without blanks could be a credential, anything with `@` names a person. */
const safe = (message: string): string =>
  message.replace(/[\w.~+/=-]{24,}|\S*@\S+/g, '[removed]').slice(0, MAX_MESSAGE_LENGTH)
