/** HipChat's answer as a value or a coded error: where its API puts message and type, and what it said about its limits. */

import type { OutboundResponse } from '../../../core/ports.ts'
import type { JsonValue } from '../../../core/tenant.ts'
import { type Asked, member, notJson, parseJson, refusalOf } from '../../common/host-answer.ts'
import { limitDetails, readLimits } from './rate-limit.ts'

/**
 * @param now  epoch milliseconds
 * @returns the JSON body, `null` where there is none
 * @throws PartywallError ERR_HOST_TOKEN_REFUSED (401), ERR_HOST_RATE_LIMITED (429), ERR_HOST_RESPONSE
 */
export function readAnswer(answer: OutboundResponse, asked: Asked, now: number): JsonValue {
  const body = parseJson(answer.body)
  if (!asked.expect.includes(answer.status)) throw refusalOf(answer, asked, toldBy(answer, body), now)
  if (body !== undefined) return body
  throw notJson(asked, answer.status)
}

/** `{error: {code, type, message}}` of the API. */
function toldBy({ headers }: OutboundResponse, body: JsonValue | undefined) {
  const error = member(body, 'error')
  const [message, type] = [member(error, 'message'), member(error, 'type')]
  return {
    hostMessage: typeof message === 'string' ? message : '',
    details: {
      type: typeof type === 'string' && /^[\w -]{1,60}$/.test(type) ? type : undefined,
      ...limitDetails(readLimits(headers)),
    },
  }
}
