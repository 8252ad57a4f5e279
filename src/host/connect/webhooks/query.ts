/** The part of JQL and CQL that this host knows: `field = value` and `field in (a, b)`, joined by `and`. */

/** What a field of the thing in question is; `undefined`: it has none of this name. */
export type FieldReader = (field: string) => unknown

const CLAUSE = /^([\w.\-"[\]]+)\s*(!=|=|in)\s*(.+)$/i

export class QueryError extends Error {
  constructor(clause: string) {
    super(`this host knows equality alone, not: ${clause}`)
    this.name = 'QueryError'
  }
}

/** @throws QueryError for what it does not know */
export function matchesQuery(query: string, read: FieldReader): boolean {
  const [conditions = ''] = query.split(/\border\s+by\b/i)
  return conditions
    .split(/\band\b/i)
    .map(clause => clause.trim())
    .filter(clause => clause !== '')
    .every(clause => holds(clause, read))
}

function holds(clause: string, read: FieldReader): boolean {
  const [, field = '', operator = '', value = ''] = CLAUSE.exec(clause) ?? []
  if (field === '') throw new QueryError(clause)
  const actual = String(read(unquote(field).toLowerCase()) ?? '').toLowerCase()
  const list = /^\((.*)\)$/.exec(value.trim())
  if ((operator.toLowerCase() === 'in') !== (list !== null)) throw new QueryError(clause)
  const wanted = (list?.[1] ?? value).split(',').map(one => unquote(one.trim()).toLowerCase())
  return wanted.includes(actual) !== (operator === '!=')
}

const unquote = (text: string): string => /^(["'])(.*)\1$/.exec(text)?.[2] ?? text
