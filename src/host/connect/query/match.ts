/** Whether a thing of a site is what a query asks for, and in which order it comes. */

import { datesOf } from './dates.ts'
import { type Condition, type Operand, type Operator, parseQuery, type Query, QueryError } from './parse.ts'

/** Several values: any of them counts. `undefined`, `null` and an empty list: the field is empty. */
export type FieldValue = string | number | Date | null | undefined | readonly (string | number)[]

/** What is asked about. */
export interface Subject {
  /** By lower-case name. */
  readonly read: (field: string) => FieldValue
  /** What the field was, now and before. */
  readonly past: (field: string) => readonly string[]
}

export interface QueryContext {
  /** Epoch milliseconds. */
  readonly now: number
  /** Who asks; `undefined` is nobody: `currentUser()` is nobody's account then. */
  readonly accountId: string | undefined
}

/** Fields that are compared as moments, whether or not the thing has one. */
const MOMENTS = new Set(
  'created createddate updated updateddate due duedate resolved resolutiondate lastmodified'.split(' '),
)

export const NOTHING: Subject = { read: () => undefined, past: () => [] }

/** @throws QueryError for what this host does not know, whether or not anything is there to ask about */
export function checkQuery(query: string): void {
  holds(parseQuery(query).condition, NOTHING, { now: 0, accountId: undefined })
}

/** @throws QueryError */
export function matchesQuery(query: string, subject: Subject, context: QueryContext): boolean {
  return holds(parseQuery(query).condition, subject, context)
}

/** Those of `all` that the query is about, in its order. @throws QueryError */
export function select<T>(
  query: string,
  all: Iterable<T>,
  subjectOf: (one: T) => Subject,
  context: QueryContext,
): readonly T[] {
  checkQuery(query)
  const { condition, order } = parseQuery(query)
  const found = [...all].map(one => ({ one, subject: subjectOf(one) }))
  return found
    .filter(({ subject }) => holds(condition, subject, context))
    .sort((a, b) => compare(order, a.subject, b.subject))
    .map(({ one }) => one)
}

function compare(order: Query['order'], a: Subject, b: Subject): number {
  for (const { field, isDescending } of order) {
    const [one, other] = [sortable(a.read(field)), sortable(b.read(field))]
    if (one !== other) return (one < other ? -1 : 1) * (isDescending ? -1 : 1)
  }
  return 0
}

/** `TIGER-10` comes after `TIGER-9`. */
function sortable(value: FieldValue): string {
  const first = listOf(value)[0] ?? ''
  return typeof first === 'number'
    ? String(first).padStart(20, '0')
    : first.toLowerCase().replace(/\d+/g, digits => digits.padStart(12, '0'))
}

function holds(condition: Condition | undefined, subject: Subject, context: QueryContext): boolean {
  switch (condition?.kind) {
    case undefined:
      return true
    // All parts are looked at, so that one that is not known is refused wherever it stands.
    case 'and':
      return condition.parts.map(part => holds(part, subject, context)).every(Boolean)
    case 'or':
      return condition.parts.map(part => holds(part, subject, context)).some(Boolean)
    case 'not':
      return !holds(condition.part, subject, context)
    case 'clause':
      return clauseHolds(condition, subject, context)
  }
}

function clauseHolds(
  { field, operator, operands }: Extract<Condition, { kind: 'clause' }>,
  subject: Subject,
  context: QueryContext,
): boolean {
  const value = subject.read(field)
  const isEmpty = listOf(value).length === 0
  switch (operator) {
    case 'is':
      return isEmpty
    case 'is not':
      return !isEmpty
    case 'changed':
      return subject.past(field).length > 1
    case 'was':
    case 'was in':
      return wantedOf(operands, context).some(wanted => subject.past(field).some(text => text.toLowerCase() === wanted))
    case 'was not':
    case 'was not in':
      return !wantedOf(operands, context).some(wanted =>
        subject.past(field).some(text => text.toLowerCase() === wanted),
      )
    case '~':
    case '!~':
      return !isEmpty && contains(value, operands) === (operator === '~')
    case '=':
    case 'in':
      return equals(field, value, operands, context)
    // As in the products, what is empty is not unequal either.
    case '!=':
    case 'not in':
      return !equals(field, value, operands, context) && !isEmpty
    default:
      return operands.every(operand => isOrdered(field, value, operator, operand, context))
  }
}

const listOf = (value: FieldValue): readonly (string | number)[] => {
  if (value === undefined || value === null || value === '') return []
  if (value instanceof Date) return [value.getTime()]
  return typeof value === 'object' ? value : [value]
}

function equals(field: string, value: FieldValue, operands: readonly Operand[], context: QueryContext): boolean {
  const texts = listOf(value).map(one => String(one).toLowerCase())
  return operands.some(operand => {
    if (operand.args === undefined && /^(?:empty|null|unresolved)$/i.test(operand.text)) return texts.length === 0
    if (!MOMENTS.has(field)) return wantedOf([operand], context).some(wanted => texts.includes(wanted))
    const { from, to } = datesOf(operand, context.now)
    return value instanceof Date && value.getTime() >= from && value.getTime() < to
  })
}

/** Every word, wherever it stands. */
function contains(value: FieldValue, operands: readonly Operand[]): boolean {
  const text = listOf(value).join(' ').toLowerCase()
  const words = (operands[0]?.text ?? '').toLowerCase().replace(/[*"\\?]/g, ' ')
  return words
    .split(/\s+/)
    .filter(word => word !== '')
    .every(word => text.includes(word))
}

function isOrdered(
  field: string,
  value: FieldValue,
  operator: Operator,
  operand: Operand,
  context: QueryContext,
): boolean {
  if (MOMENTS.has(field)) {
    const { from } = datesOf(operand, context.now)
    return value instanceof Date && ordered(value.getTime(), operator, from)
  }
  const [wanted = ''] = wantedOf([operand], context)
  return listOf(value).some(one =>
    typeof one === 'number'
      ? ordered(one, operator, Number(wanted))
      : ordered(sortable(one), operator, sortable(wanted)),
  )
}

function ordered<T extends string | number>(a: T, operator: Operator, b: T): boolean {
  if (operator === '<') return a < b
  if (operator === '<=') return a <= b
  return operator === '>' ? a > b : a >= b
}

/** Lower-case texts that the operands stand for. */
const wantedOf = (operands: readonly Operand[], { accountId }: QueryContext): readonly string[] =>
  operands.map(({ text, args }) => {
    if (args === undefined) return text.toLowerCase()
    if (text === 'currentuser') return (accountId ?? 'nobody').toLowerCase()
    if (text === 'opensprints') return 'active'
    if (text === 'closedsprints') return 'closed'
    if (text === 'futuresprints') return 'future'
    throw new QueryError(`${text}(${args.join(', ')})`)
  })
