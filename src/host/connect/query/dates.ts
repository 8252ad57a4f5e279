/** What queries call a moment: `2026-11-26`, `"2026/11/26 10:00"`, `-7d`, `startOfWeek(-1)`, `now()`. All in UTC. */

import { type Operand, QueryError } from './parse.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const UNITS: Readonly<Record<string, number>> = { m: MINUTE, h: HOUR, d: DAY, w: 7 * DAY, M: 30 * DAY, y: 365 * DAY }

/** From when on, and to when (not included) it counts as equal: a day, where only a day is named. @throws QueryError */
export function datesOf({ text, args }: Operand, now: number): { readonly from: number; readonly to: number } {
  if (args !== undefined) return functionDates(text, args, now)
  const ahead = relative(text)
  if (ahead !== undefined) return { from: now + ahead, to: now + ahead + MINUTE }
  const [, year, month, day, hours, minutes] =
    /^(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?:[ T](\d{1,2}):(\d{2}))?/.exec(text) ?? []
  if (year === undefined) throw new QueryError(text)
  const from = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hours ?? 0), Number(minutes ?? 0))
  return { from, to: from + (hours === undefined ? DAY : MINUTE) }
}

/** `-7d`, `4w 2d`; without a unit, days. */
function relative(text: string): number | undefined {
  if (!/^[+-]?\d+[mhdwMy]?(?:\s+\d+[mhdwMy])*$/.test(text)) return undefined
  const sign = text.startsWith('-') ? -1 : 1
  const parts = text.replace(/^[+-]/, '').split(/\s+/)
  return parts.reduce(
    (sum, part) => sum + sign * Number.parseInt(part, 10) * (UNITS[part.replace(/\d+/, '')] ?? DAY),
    0,
  )
}

function functionDates(name: string, [given]: readonly string[], now: number) {
  const moment = (at: number) => ({ from: at, to: at + MINUTE })
  if (name === 'now') return moment(now + (given === undefined ? 0 : (relative(given) ?? 0)))
  const [, edge, unit = ''] = /^(start|end)of(day|week|month|year)$/.exec(name) ?? []
  if (edge === undefined) throw new QueryError(`${name}(${given ?? ''})`)
  // A plain number counts in the unit of the function.
  const steps = given !== undefined && /^[+-]?\d+$/.test(given) ? Number(given) : 0
  const base = new Date(now + (steps === 0 && given !== undefined ? (relative(given) ?? 0) : 0))
  const year = base.getUTCFullYear()
  const [month, day] = [base.getUTCMonth(), base.getUTCDate()]
  const starts: Readonly<Record<string, (ahead: number) => number>> = {
    day: ahead => Date.UTC(year, month, day + ahead),
    // Weeks begin on Monday.
    week: ahead => Date.UTC(year, month, day - ((base.getUTCDay() + 6) % 7) + 7 * ahead),
    month: ahead => Date.UTC(year, month + ahead, 1),
    year: ahead => Date.UTC(year + ahead, 0, 1),
  }
  const start = starts[unit] ?? (() => now)
  return moment(edge === 'start' ? start(steps) : start(steps + 1) - 1)
}
