/** Reads the body of a call, and says 400 where it is not what the call wants. */

import { FieldError, readObject } from '../../fields.ts'
import { ApiError } from '../../server/api-error.ts'
import type { ProductCall } from './product-route.ts'

/** Any JSON. @throws ApiError 400 */
export function jsonOf({ call }: Pick<ProductCall, 'call'>): unknown {
  try {
    return JSON.parse(call.body.toString('utf8'))
  } catch (error) {
    if (error instanceof SyntaxError) throw new ApiError(400, 'The body is not JSON.')
    throw error
  }
}

/** A JSON object, read by a function that throws FieldError. @throws ApiError 400 */
export function readBody<T>(call: Pick<ProductCall, 'call'>, read: (body: Readonly<Record<string, unknown>>) => T): T {
  return orBadRequest(() => read(readObject(jsonOf(call), 'the body')))
}

/** @throws ApiError 400 where the reader throws FieldError */
export function orBadRequest<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof FieldError) throw new ApiError(400, error.message)
    throw error
  }
}

/** @throws ApiError 404 */
export function found<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new ApiError(404, `There is no such ${name}.`)
  return value
}
