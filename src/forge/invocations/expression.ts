/**
 * Expressions of event filters: the part of Jira's expression language that looks at one event. Values, members with `.`, `?.` and
 * `[]`, comparisons, `&&`, `||`, `!`, `? :`, `+ - * / %`, lists, and a few methods of texts and lists. There are no functions,
 * no assignments and no loops, and an expression sees the event and nothing else.
 */

import type { JsonValue } from '../../core/tenant.ts'

export class ExpressionError extends Error {
  override readonly name = 'ExpressionError'
}

type Scope = Readonly<Record<string, JsonValue>>
type Node = (scope: Scope) => JsonValue

const MAX_CHARACTERS = 4_000
const MAX_DEPTH = 50
const TOKEN =
  /\s*(?:(\d+(?:\.\d+)?)|("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|([A-Za-z_$][\w$]*)|(\?\.|\?\?|===|!==|==|!=|<=|>=|&&|\|\||[-+*/%<>!?:.,()[\]]))/y

interface Token {
  readonly kind: 'number' | 'text' | 'name' | 'sign' | 'end'
  readonly text: string
}

/** @throws ExpressionError it cannot be read, or an operation has no meaning for the values it met */
export function evaluate(expression: string, scope: Scope): JsonValue {
  return parse(expression)(scope)
}

const parsed = new Map<string, Node>()
const MAX_PARSED = 1_000

function parse(expression: string): Node {
  const found = parsed.get(expression)
  if (found !== undefined) return found
  const reader = new Reader(readTokens(expression))
  const node = reader.expression()
  reader.expectEnd()
  if (parsed.size >= MAX_PARSED) parsed.clear()
  parsed.set(expression, node)
  return node
}

function readTokens(expression: string): readonly Token[] {
  if (expression.length > MAX_CHARACTERS) throw new ExpressionError('the expression is too long')
  const tokens: Token[] = []
  const text = expression.trimEnd()
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex
    const match = TOKEN.exec(text)
    if (match === null) throw new ExpressionError(`unexpected ${JSON.stringify(text.slice(at, at + 10))}`)
    const [, number, quoted, name, sign] = match
    if (number !== undefined) tokens.push({ kind: 'number', text: number })
    else if (quoted !== undefined)
      tokens.push({
        kind: 'text',
        text: quoted.slice(1, -1).replace(/\\(.)/g, (_, one: string) => ESCAPES[one] ?? one),
      })
    else if (name !== undefined) tokens.push({ kind: 'name', text: name })
    else tokens.push({ kind: 'sign', text: sign ?? '' })
  }
  return tokens
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' }
const END: Token = { kind: 'end', text: 'the end' }

/** Operators of two values, those that bind least first. */
const BINARY: readonly ReadonlyMap<string, (left: JsonValue, right: () => JsonValue) => JsonValue>[] = [
  new Map([['??', (left, right) => (left === null ? right() : left)]]),
  new Map([['||', (left, right) => truth(left) || truth(right())]]),
  new Map([['&&', (left, right) => truth(left) && truth(right())]]),
  new Map([
    ['==', (left, right) => isSame(left, right())],
    ['===', (left, right) => isSame(left, right())],
    ['!=', (left, right) => !isSame(left, right())],
    ['!==', (left, right) => !isSame(left, right())],
  ]),
  new Map([
    ['<', (left, right) => order(left, right()) < 0],
    ['>', (left, right) => order(left, right()) > 0],
    ['<=', (left, right) => order(left, right()) <= 0],
    ['>=', (left, right) => order(left, right()) >= 0],
  ]),
  new Map([
    ['+', (left, right) => plus(left, right())],
    ['-', (left, right) => number(left) - number(right())],
  ]),
  new Map([
    ['*', (left, right) => number(left) * number(right())],
    ['/', (left, right) => number(left) / number(right())],
    ['%', (left, right) => number(left) % number(right())],
  ]),
]

class Reader {
  readonly #tokens: readonly Token[]
  #next = 0
  #depth = 0

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  expression(): Node {
    if (++this.#depth > MAX_DEPTH) throw new ExpressionError('the expression is nested too deep')
    const condition = this.#binary(0)
    this.#depth -= 1
    if (!this.#takes('?')) return condition
    const then = this.expression()
    this.#need(':')
    const otherwise = this.expression()
    return scope => (truth(condition(scope)) ? then(scope) : otherwise(scope))
  }

  expectEnd(): void {
    if (this.#peek() !== END) throw new ExpressionError(`unexpected ${this.#peek().text}`)
  }

  #binary(level: number): Node {
    const operators = BINARY[level]
    if (operators === undefined) return this.#unary()
    let left = this.#binary(level + 1)
    for (;;) {
      const token = this.#peek()
      const run = token.kind === 'sign' ? operators.get(token.text) : undefined
      if (run === undefined) return left
      this.#next += 1
      const [first, second] = [left, this.#binary(level + 1)]
      left = scope => run(first(scope), () => second(scope))
    }
  }

  #unary(): Node {
    if (this.#takes('!')) {
      const of = this.#deeper(() => this.#unary())
      return scope => !truth(of(scope))
    }
    if (this.#takes('-')) {
      const of = this.#deeper(() => this.#unary())
      return scope => -number(of(scope))
    }
    return this.#members(this.#primary())
  }

  #deeper<T>(read: () => T): T {
    if (++this.#depth > MAX_DEPTH) throw new ExpressionError('the expression is nested too deep')
    const value = read()
    this.#depth -= 1
    return value
  }

  #members(of: Node): Node {
    let node = of
    for (;;) {
      const before = node
      if (this.#takes('[')) {
        const index = this.expression()
        this.#need(']')
        node = scope => member(before(scope), index(scope), false)
        continue
      }
      const isOptional = this.#takes('?.')
      if (!isOptional && !this.#takes('.')) return node
      const { kind, text: name } = this.#take()
      if (kind !== 'name') throw new ExpressionError('a name is missing after the point')
      if (this.#takes('(')) {
        const values = this.#list(')')
        node = scope =>
          method(
            before(scope),
            name,
            values.map(value => value(scope)),
            isOptional,
          )
      } else node = scope => member(before(scope), name, isOptional)
    }
  }

  #primary(): Node {
    const token = this.#take()
    if (token.kind === 'number') return constant(Number(token.text))
    if (token.kind === 'text') return constant(token.text)
    if (token.kind === 'name') return nameNode(token.text)
    if (token.text === '(') {
      const inner = this.expression()
      this.#need(')')
      return inner
    }
    if (token.text === '[') {
      const items = this.#list(']')
      return scope => items.map(item => item(scope))
    }
    throw new ExpressionError(`unexpected ${token.text}`)
  }

  #list(end: string): Node[] {
    const items: Node[] = []
    if (this.#takes(end)) return items
    do items.push(this.expression())
    while (this.#takes(','))
    this.#need(end)
    return items
  }

  #peek = (): Token => this.#tokens[this.#next] ?? END
  #take(): Token {
    const token = this.#peek()
    this.#next += 1
    return token
  }
  #takes(sign: string): boolean {
    const token = this.#peek()
    if (token.kind !== 'sign' || token.text !== sign) return false
    this.#next += 1
    return true
  }
  #need(sign: string): void {
    if (!this.#takes(sign)) throw new ExpressionError(`${sign} is missing before ${this.#peek().text}`)
  }
}

const constant =
  (value: JsonValue): Node =>
  () =>
    value

function nameNode(name: string): Node {
  if (name === 'true') return constant(true)
  if (name === 'false') return constant(false)
  if (name === 'null' || name === 'undefined') return constant(null)
  return scope => {
    if (Object.hasOwn(scope, name)) return scope[name] ?? null
    throw new ExpressionError(`there is no ${name}`)
  }
}

function member(of: JsonValue, name: JsonValue, isOptional: boolean): JsonValue {
  if (of === null) {
    if (isOptional) return null
    throw new ExpressionError(`null has no ${String(name)}`)
  }
  if (typeof name === 'number') return Array.isArray(of) ? (of[name] ?? null) : null
  if (name === 'length' && (typeof of === 'string' || Array.isArray(of))) return of.length
  if (typeof of !== 'object' || Array.isArray(of) || typeof name !== 'string') return null
  return Object.hasOwn(of, name) ? ((of as Scope)[name] ?? null) : null
}

function method(of: JsonValue, name: string, [first = null]: readonly JsonValue[], isOptional: boolean): JsonValue {
  if (of === null && isOptional) return null
  if (Array.isArray(of)) {
    if (name === 'includes') return of.some((one: JsonValue) => isSame(one, first))
    if (name === 'indexOf') return of.findIndex((one: JsonValue) => isSame(one, first))
  }
  if (typeof of === 'string') {
    if (name === 'toLowerCase') return of.toLowerCase()
    if (name === 'toUpperCase') return of.toUpperCase()
    if (name === 'trim') return of.trim()
    if (typeof first === 'string') {
      if (name === 'includes') return of.includes(first)
      if (name === 'startsWith') return of.startsWith(first)
      if (name === 'endsWith') return of.endsWith(first)
      if (name === 'indexOf') return of.indexOf(first)
    }
  }
  throw new ExpressionError(`there is no method ${name} here`)
}

function truth(value: JsonValue): boolean {
  if (typeof value === 'boolean') return value
  throw new ExpressionError('a boolean is needed')
}
function number(value: JsonValue): number {
  if (typeof value === 'number') return value
  throw new ExpressionError('a number is needed')
}
function plus(left: JsonValue, right: JsonValue): JsonValue {
  return typeof left === 'string' && typeof right === 'string' ? left + right : number(left) + number(right)
}
function order(left: JsonValue, right: JsonValue): number {
  if (typeof left === 'number' && typeof right === 'number') return left - right
  if (typeof left === 'string' && typeof right === 'string') return left < right ? -1 : Number(left > right)
  throw new ExpressionError('two numbers or two texts are needed')
}
const isSame = (left: JsonValue, right: JsonValue): boolean =>
  left === right || (typeof left === 'object' && JSON.stringify(left) === JSON.stringify(right))
