/** Headers of a response that somebody else writes: Node's `ServerResponse`, or a WHATWG `Headers`. */

import { isPrivateCache, PRIVATE_HEADERS } from './answers.ts'

/** What `ServerResponse` and `Headers` have in common, under one set of names. */
export interface HeaderTarget {
  get(name: string): string | undefined
  set(name: string, value: string): void
  append(name: string, value: string): void
}

/** The part of Node's `ServerResponse` that is needed here. */
interface NodeHeaders {
  getHeader(name: string): number | string | readonly string[] | undefined
  setHeader(name: string, value: string): unknown
  appendHeader(name: string, value: string): unknown
}

export const headersOfNode = (response: NodeHeaders): HeaderTarget => new HeadersOfNode(response)

class HeadersOfNode implements HeaderTarget {
  readonly #response: NodeHeaders
  constructor(response: NodeHeaders) {
    this.#response = response
  }
  get(name: string): string | undefined {
    return this.#response.getHeader(name)?.toString()
  }
  set(name: string, value: string): void {
    this.#response.setHeader(name, value)
  }
  append(name: string, value: string): void {
    this.#response.appendHeader(name, value)
  }
}

export const headersOfFetch = (headers: Headers): HeaderTarget => ({
  get: name => headers.get(name) ?? undefined,
  set: (name, value) => headers.set(name, value),
  append: (name, value) => headers.append(name, value),
})

/** Replaces what was there under a name; a name that is repeated in the list is sent repeatedly. */
export function setHeaders(target: HeaderTarget, headers: readonly string[]): void {
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] ?? ''
    const value = headers[index + 1] ?? ''
    if (isRepeated(headers, index)) target.append(name, value)
    else target.set(name, value)
  }
}

/** Whether the name at `index` stands earlier in the list. Lists are short. */
function isRepeated(headers: readonly string[], index: number): boolean {
  const name = headers[index]?.toLowerCase()
  for (let earlier = 0; earlier < index; earlier += 2) if (headers[earlier]?.toLowerCase() === name) return true
  return false
}

/** Leaves what the app or a middleware before us has said. */
export function setMissing(target: HeaderTarget, headers: readonly string[]): void {
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] ?? ''
    if (target.get(name) === undefined) target.set(name, headers[index + 1] ?? '')
  }
}

/** The app may choose how long its own user's browser keeps an answer, never that a shared cache does. */
export function keepPrivate(target: HeaderTarget): void {
  setMissing(target, PRIVATE_HEADERS)
  const cacheControl = target.get('cache-control') ?? ''
  if (cacheControl !== 'no-store' && !isPrivateCache(cacheControl)) target.set('cache-control', 'no-store')
}
