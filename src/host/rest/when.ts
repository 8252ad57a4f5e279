/** Moments in query parameters: ISO 8601, seconds since 1970, or a local time in the zone that the query names. */

import { ApiError } from '../server/api-error.ts'
import { isZone, offsetMs } from '../zones.ts'

/** @returns the IANA zone of `timezone`; default UTC @throws ApiError 400 */
export function readZone(query: URLSearchParams): string {
  const zone = query.get('timezone') ?? 'UTC'
  if (!isZone(zone)) throw new ApiError(400, 'timezone is no known zone.')
  return zone
}

/** @returns epoch milliseconds; `undefined` when the parameter is absent @throws ApiError 400 */
export function whenOf(query: URLSearchParams, name: string, zone: string): number | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  // A plus that was not encoded arrives as a space.
  const moment = /^\d{1,11}$/.test(text) ? Number(text) * 1000 : parse(text.replace(/ (\d\d:?\d\d)$/, '+$1'), zone)
  if (!Number.isFinite(moment)) throw new ApiError(400, `${name} is not a date.`)
  return moment
}

function parse(text: string, zone: string): number {
  if (!/^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?)?$/.test(text)) return Number.NaN
  if (/(Z|[+-]\d\d:?\d\d)$/.test(text.slice(10))) return Date.parse(text)
  const local = Date.parse(text.length === 10 ? text : `${text}Z`)
  // The offset at the moment itself: near a change of the clocks the first guess may be an hour off.
  return Number.isFinite(local) ? local - offsetMs(local - offsetMs(local, zone), zone) : local
}
