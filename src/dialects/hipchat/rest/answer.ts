/**
 * The host's answer as a value or a coded error. Errors carry its status, type and message, cut and without credentials or
 * addresses of people, and what it said about its limits.
 */

import { PartywallError } from '../../../core/errors.ts'
import type { OutboundResponse } from '../../../core/ports.ts'
import type { JsonValue } from '../../../core/tenant.ts'
import { retryAfterSeconds } from '../../../wire/retry-after.ts'
import { limitDetails, readLimits } from './rate-limit.ts'

const MAX_MESSAGE_LENGTH = 200
const DEFAULT_WAIT_SECONDS = 60

/** What was asked, for the error. */
interface Asked {
  readonly method: string
  /** As `describePath` tells it. */
  readonly path: string
  readonly expect: readonly number[]
}

/**
 * @param now  epoch milliseconds
 * @returns the JSON body, `null` where there is none
 * @throws PartywallError ERR_HOST_TOKEN_REFUSED (401), ERR_HOST_RATE_LIMITED (429), ERR_HOST_RESPONSE
 */
export function readAnswer(answer: OutboundResponse, asked: Asked, now: number): JsonValue {
  const body = parse(answer.body)
  if (!asked.expect.includes(answer.status)) throw refusal(answer, body, asked, now)
  if (body !== undefined) return body
  throw new PartywallError('ERR_HOST_RESPONSE', {
    message: `the host answered ${asked.method} ${asked.path} with something that is not JSON`,
    details: { status: answer.status, method: asked.method },
  })
}

function refusal(answer: OutboundResponse, body: JsonValue | undefined, asked: Asked, now: number): PartywallError {
  const { status, headers } = answer
  const { message: hostMessage, type } = errorOf(body)
  const told = hostMessage === '' ? '' : `: ${hostMessage}`
  const message = `unexpected status ${status} of ${asked.method} ${asked.path}${told}`
  const details = { status, method: asked.method, hostMessage, type, ...limitDetails(readLimits(headers)) }
  if (status === 401) return new PartywallError('ERR_HOST_TOKEN_REFUSED', { message, details })
  if (status !== 429) return new PartywallError('ERR_HOST_RESPONSE', { message, details })
  const wait = retryAfterSeconds(headers, now) ?? DEFAULT_WAIT_SECONDS
  return new PartywallError('ERR_HOST_RATE_LIMITED', { message, details, retryAfterSeconds: wait })
}

/** `null` for an empty body, `undefined` for one that is not JSON. */
function parse(body: Buffer): JsonValue | undefined {
  if (body.length === 0) return null
  try {
    return JSON.parse(body.toString('utf8')) as JsonValue
  } catch {
    // The caller decides whether that matters: on an error status it does not.
    return undefined
  }
}

/** `{error: {code, type, message}}` of the API. */
function errorOf(body: JsonValue | undefined): { readonly message: string; readonly type: string | undefined } {
  const error = member(body, 'error')
  const [message, type] = [member(error, 'message'), member(error, 'type')]
  return {
    message: typeof message === 'string' ? safe(message) : '',
    type: typeof type === 'string' && /^[\w -]{1,60}$/.test(type) ? type : undefined,
  }
}

const member = (value: JsonValue | undefined, name: string): JsonValue | undefined =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as { readonly [key: string]: JsonValue })[name]
    : undefined

/** A host may repeat what it was sent: anything long without blanks could be a credential, anything with `@` names a person. */
const safe = (message: string): string =>
  message.replace(/[\w.~+/=-]{24,}|\S*@\S+/g, '[removed]').slice(0, MAX_MESSAGE_LENGTH)
