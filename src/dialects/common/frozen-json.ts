/** A descriptor as the wire will have it. */

import * as z from 'zod'
import type { JsonObject, JsonValue } from '../../core/tenant.ts'

const jsonShape = z.record(z.string(), z.json())

/** @returns deeply frozen JSON; members that are `undefined` left out */
export const frozenJson = (value: object): JsonObject => freeze(jsonShape.parse(JSON.parse(JSON.stringify(value))))

function freeze<T extends JsonValue>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const part of Object.values(value)) freeze(part)
    Object.freeze(value)
  }
  return value
}
