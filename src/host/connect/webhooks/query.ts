/**
 * The part of JQL and CQL that this host knows: `=`, `!=`, `~`, `in`, `not in`, `is empty`, `is not empty`, joined by `and` and `or`,
 * without parentheses around conditions.
 */

/** What a field of the thing in question is; `undefined`: it has none of this name. */
export type FieldReader = (field: string) => unknown

const CLAUSE = /^([\w.\-"[\]]+)\s*(!=|=|!~|~|not\s+in\b|in\b|is\s+not\b|is\b)\s*(.+)$/is

export class QueryError extends Error {
  constructor(clause: string) {
    super(`this host does not know the condition ${clause}`)
    this.name = 'QueryError'
  }
}

/** @throws QueryError for what it does not know */
export function matchesQuery(query: string, read: FieldReader): boolean {
  const [conditions = ''] = query.split(/\border\s+by\b/i)
  if (conditions.trim() === '') return true
  return splitOutsideQuotes(conditions, 'or').some(group =>
    splitOutsideQuotes(group, 'and').every(clause => holds(clause, read)),
  )
}

/** At a word that stands alone; texts in quotation marks stay whole. */
function splitOutsideQuotes(text: string, word: 'and' | 'or'): readonly string[] {
  const parts = text.match(/"[^"]*"|'[^']*'|[^\s"']+|\s+/g) ?? []
  const found = ['']
  for (const part of parts) {
    if (part.toLowerCase() === word) found.push('')
    else found.push(`${found.pop() ?? ''}${part}`)
  }
  return found.map(one => one.trim()).filter(one => one !== '')
}

function holds(clause: string, read: FieldReader): boolean {
  const [, field = '', operator = '', value = ''] = CLAUSE.exec(clause) ?? []
  if (field === '') throw new QueryError(clause)
  const actual = String(read(unquote(field).toLowerCase()) ?? '').toLowerCase()
  const how = operator.toLowerCase().replace(/\s+/g, ' ')
  const list = /^\((.*)\)$/s.exec(value.trim())
  if (how.endsWith('in') !== (list !== null)) throw new QueryError(clause)
  const wanted = (list?.[1] ?? value).split(',').map(one => unquote(one.trim()).toLowerCase())
  const isNegative = how.startsWith('!') || how.includes('not')
  if (how.startsWith('is')) {
    if (!/^(?:empty|null)$/.test(wanted[0] ?? '')) throw new QueryError(clause)
    return (actual === '') !== isNegative
  }
  const holdsSo = how.endsWith('~') ? actual.includes((wanted[0] ?? '').replaceAll('*', '')) : wanted.includes(actual)
  return holdsSo !== isNegative
}

const unquote = (text: string): string => /^(["'])(.*)\1$/.exec(text)?.[2] ?? text
