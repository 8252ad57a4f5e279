/** A descriptor as the wire will have it. */

import * as z from 'zod'
import type { JsonObject } from '../../core/tenant.ts'

const jsonShape = z.record(z.string(), z.json())

/** @returns deeply frozen JSON; members that are `undefined` left out */
export const frozenJson = (value: object): JsonObject => deepFreeze(jsonShape.parse(JSON.parse(JSON.stringify(value))))

/** Of JSON that nobody else holds. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const part of Object.values(value)) deepFreeze(part)
    Object.freeze(value)
  }
  return value
}
