/**
 * Checks at both ends of a call: what an author hands to it, before anything leaves, and what the host answered. Errors name
 * the field and repeat no value.
 */

import type * as z from 'zod'
import { PartywallError } from '../../core/errors.ts'
import type { JsonValue } from '../../core/tenant.ts'
import { firstIssue } from './parse.ts'

/** @throws PartywallError ERR_CALL_INVALID with `details.field` */
export function checkFields<T>(shape: z.ZodType<T>, value: unknown, subject: string): T {
  const checked = shape.safeParse(value)
  if (checked.success) return checked.data
  const { path, message } = firstIssue('', checked.error)
  throw invalidField(path, message, subject)
}

export function invalidField(field: string, reason: string, subject: string): PartywallError {
  const name = field === '' ? subject : `${field} of ${subject}`
  return new PartywallError('ERR_CALL_INVALID', { message: `${name}: ${reason}`, details: { field } })
}

/** The host's answer as what the call promises; names that the shape does not know are kept. @throws PartywallError ERR_HOST_RESPONSE */
export function checkAnswer<T>(shape: z.ZodType<T>, answer: JsonValue): T {
  const checked = shape.safeParse(answer)
  if (checked.success) return checked.data
  const { path, message } = firstIssue('', checked.error)
  throw new PartywallError('ERR_HOST_RESPONSE', {
    message: `the host's answer is not what this call gives: ${path === '' ? '' : `${path}: `}${message}`,
    details: { field: path },
  })
}
