/** Reads JQL and CQL as far as this host knows them, into a tree. What it does not know is refused: guessing would show wrong results. */

/** `=`, `not in`, `was` ... */
export type Operator =
  | '='
  | '!='
  | '~'
  | '!~'
  | '<'
  | '<='
  | '>'
  | '>='
  | 'in'
  | 'not in'
  | 'is'
  | 'is not'
  | 'was'
  | 'was not'
  | 'was in'
  | 'was not in'
  | 'changed'

export interface Operand {
  readonly text: string
  /** Of a function: `startOfDay(-1)`. */
  readonly args?: readonly string[]
}

export type Condition =
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Condition[] }
  | { readonly kind: 'not'; readonly part: Condition }
  /** Lower-case field. */
  | {
      readonly kind: 'clause'
      readonly field: string
      readonly operator: Operator
      readonly operands: readonly Operand[]
    }

export interface Query {
  /** `undefined`: everything. */
  readonly condition: Condition | undefined
  readonly order: readonly { readonly field: string; readonly isDescending: boolean }[]
}

export class QueryError extends Error {
  constructor(what: string) {
    super(`this host does not know the condition ${what}`)
    this.name = 'QueryError'
  }
}

const TOKEN = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[(),]|!=|!~|<=|>=|[=~<>!]|[^\s()",'=~<>!]+/g
const SYMBOLS = new Set(['=', '!=', '~', '!~', '<', '<=', '>', '>='])

/** @throws QueryError */
export function parseQuery(text: string): Query {
  const [, conditions = '', order = ''] = /^(.*?)(?:\border\s+by\b(.*))?$/is.exec(text) ?? []
  const tokens = conditions.match(TOKEN) ?? []
  const reader = new TokenReader(tokens, text)
  const condition = tokens.length === 0 ? undefined : readOr(reader)
  if (!reader.isAtEnd) throw new QueryError(text)
  return { condition, order: readOrder(order) }
}

class TokenReader {
  #at = 0
  readonly #tokens: readonly string[]
  readonly #text: string
  constructor(tokens: readonly string[], text: string) {
    this.#tokens = tokens
    this.#text = text
  }
  get isAtEnd(): boolean {
    return this.#at >= this.#tokens.length
  }
  /** Whether the next ones are these words; in any case of letters. */
  sees(...words: readonly string[]): boolean {
    return words.every((word, index) => this.#tokens[this.#at + index]?.toLowerCase() === word)
  }
  /** The same, and goes past them. */
  takes(...words: readonly string[]): boolean {
    if (!this.sees(...words)) return false
    this.#at += words.length
    return true
  }
  next(): string {
    const token = this.#tokens[this.#at++]
    if (token === undefined) throw this.refused()
    return token
  }
  refused(): QueryError {
    return new QueryError(this.#text)
  }
}

function readOr(reader: TokenReader): Condition {
  const parts = [readAnd(reader)]
  while (reader.takes('or') || reader.takes('||')) parts.push(readAnd(reader))
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : { kind: 'or', parts }
}

function readAnd(reader: TokenReader): Condition {
  const parts = [readNot(reader)]
  while (reader.takes('and') || reader.takes('&&')) parts.push(readNot(reader))
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : { kind: 'and', parts }
}

function readNot(reader: TokenReader): Condition {
  if (reader.takes('not') || reader.takes('!')) return { kind: 'not', part: readNot(reader) }
  if (!reader.takes('(')) return readClause(reader)
  const inner = readOr(reader)
  if (!reader.takes(')')) throw reader.refused()
  return inner
}

function readClause(reader: TokenReader): Condition {
  const field = unquote(reader.next()).toLowerCase()
  const operator = readOperator(reader)
  const operands = operator === 'changed' ? [] : readOperands(reader, operator)
  return { kind: 'clause', field, operator, operands }
}

function readOperator(reader: TokenReader): Operator {
  if (reader.takes('not', 'in')) return 'not in'
  if (reader.takes('in')) return 'in'
  if (reader.takes('is', 'not')) return 'is not'
  if (reader.takes('is')) return 'is'
  if (reader.takes('was', 'not', 'in')) return 'was not in'
  if (reader.takes('was', 'not')) return 'was not'
  if (reader.takes('was', 'in')) return 'was in'
  if (reader.takes('was')) return 'was'
  if (reader.takes('changed')) return 'changed'
  const symbol = reader.next()
  if (SYMBOLS.has(symbol)) return symbol as Operator
  throw reader.refused()
}

function readOperands(reader: TokenReader, operator: Operator): readonly Operand[] {
  if (!operator.endsWith('in') || !reader.sees('(')) {
    const operand = readOperand(reader)
    // `in` wants a list, or a function that gives one.
    if (operator.endsWith('in') && operand.args === undefined) throw reader.refused()
    if (operator.startsWith('is') && !/^(?:empty|null)$/i.test(operand.text)) throw reader.refused()
    return [operand]
  }
  reader.takes('(')
  const operands = [readOperand(reader)]
  while (reader.takes(',')) operands.push(readOperand(reader))
  if (!reader.takes(')')) throw reader.refused()
  return operands
}

function readOperand(reader: TokenReader): Operand {
  const token = reader.next()
  if (/^[(),]$/.test(token) || SYMBOLS.has(token)) throw reader.refused()
  if (/^["']/.test(token) || !reader.takes('(')) return { text: unquote(token) }
  const args: string[] = []
  while (!reader.takes(')')) {
    args.push(unquote(reader.next()))
    reader.takes(',')
  }
  return { text: token.toLowerCase(), args }
}

const readOrder = (text: string): Query['order'] =>
  text
    .split(',')
    .map(part => part.trim())
    .filter(part => part !== '')
    .map(part => ({
      field: unquote(part.replace(/\s+(?:asc|desc)$/i, '')).toLowerCase(),
      isDescending: /\s+desc$/i.test(part),
    }))

const unquote = (text: string): string => {
  const inner = /^(["'])(.*)\1$/s.exec(text)?.[2]
  return inner === undefined ? text : inner.replace(/\\(.)/gs, '$1')
}
