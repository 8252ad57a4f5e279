/** Collections: one page of a list, with links to its neighbours; and how query parameters are read. */

import { ApiError } from '../server/api-error.ts'
import type { Reply } from '../server/reply.ts'

/** @param self absolute URL of the collection without query */
export function collection(query: URLSearchParams, self: string, items: readonly unknown[]): Reply {
  const start = count(query, 'start-index', 0, 0, Number.MAX_SAFE_INTEGER)
  const max = maxResults(query, 100)
  const page = (index: number) => {
    const parameters = new URLSearchParams(query)
    parameters.delete('auth_token')
    parameters.set('start-index', String(index))
    parameters.set('max-results', String(max))
    return `${self}?${parameters}`
  }
  return {
    status: 200,
    json: {
      items: items.slice(start, start + max),
      startIndex: start,
      maxResults: max,
      links: {
        self,
        ...(start > 0 ? { prev: page(Math.max(0, start - max)) } : {}),
        ...(start + max < items.length ? { next: page(start + max) } : {}),
      },
    },
  }
}

/** How many items a page may have: 1 to 1,000. @throws ApiError 400 */
export const maxResults = (query: URLSearchParams, fallback: number): number =>
  count(query, 'max-results', fallback, 1, 1000)

/** @throws ApiError 400 */
export function flag(query: URLSearchParams, name: string, fallback: boolean): boolean {
  return choice(query, name, ['true', 'false'], String(fallback) as 'true' | 'false') === 'true'
}

/** @throws ApiError 400 */
export function choice<const T extends string>(
  query: URLSearchParams,
  name: string,
  choices: readonly T[],
  fallback: T,
): T {
  const text = query.get(name)
  if (text === null) return fallback
  const found = choices.find(one => one === text)
  if (found === undefined) throw new ApiError(400, `${name} is none of ${choices.join(', ')}.`)
  return found
}

function count(query: URLSearchParams, name: string, fallback: number, min: number, max: number): number {
  const text = query.get(name)
  if (text === null) return fallback
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < min || value > max) {
    throw new ApiError(400, `${name} is not a number from ${min} to ${max}.`)
  }
  return value
}
