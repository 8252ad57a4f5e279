/** A product's answer as a value or a coded error. JSON and text become values, an empty body `null`. */

import type { OutboundResponse } from '../../core/ports.ts'
import type { JsonValue } from '../../core/tenant.ts'
import { type Asked, member, notJson, parseJson, refusalOf } from '../common/host-answer.ts'

export interface ProductAnswer {
  readonly status: number
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  /** Parsed JSON, a text, or `null` where there is none. */
  readonly body: JsonValue
}

/** Redirects are none: they are not followed, and a token must not go where they lead. */
export const SUCCESS: readonly number[] = [200, 201, 202, 204]
const JSON_TYPE = /^[\w.+-]+\/(?:[\w.-]+\+)?json\b/i

/**
 * @param now  epoch milliseconds
 * @throws PartywallError ERR_HOST_TOKEN_REFUSED (401), ERR_HOST_RATE_LIMITED (429), ERR_HOST_RESPONSE
 */
export function readProductAnswer(answer: OutboundResponse, asked: Asked, now: number): ProductAnswer {
  const { status, headers, body } = answer
  if (!asked.expect.includes(status)) {
    const told = { hostMessage: messageOf(parseJson(body)), details: { reason: reasonOf(headers) } }
    throw refusalOf(answer, asked, told, now)
  }
  return { status, headers, body: bodyValue(body, headers['content-type'], asked, status) }
}

function bodyValue(body: Buffer, type: string | undefined, asked: Asked, status: number): JsonValue {
  if (type !== undefined && !JSON_TYPE.test(type)) return body.length === 0 ? null : body.toString('utf8')
  const value = parseJson(body)
  if (value !== undefined) return value
  throw notJson(asked, status)
}

/** Jira: `errorMessages`, `errors` by field. Confluence: `message`. Bitbucket: `error.message`. */
function messageOf(body: JsonValue | undefined): string {
  const [first] = listOf(member(body, 'errorMessages'))
  const errors = member(body, 'errors')
  const [firstField] = typeof errors === 'object' && errors !== null ? Object.values(errors) : []
  const candidates = [first, firstField, member(body, 'message'), member(member(body, 'error'), 'message')]
  return candidates.find(text => typeof text === 'string') ?? ''
}

const listOf = (value: JsonValue | undefined): readonly JsonValue[] => (Array.isArray(value) ? value : [])

const reasonOf = (headers: Readonly<Record<string, string>>): string | undefined => {
  const reason = headers['ratelimit-reason']
  return reason !== undefined && /^[\w-]{1,60}$/.test(reason) ? reason : undefined
}
