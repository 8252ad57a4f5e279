/** Collections: one page of a list, with links to its neighbours. */

import { ApiError } from '../server/api-error.ts'
import type { Reply } from '../server/reply.ts'

/** @param self absolute URL of the collection without query */
export function collection(query: URLSearchParams, self: string, items: readonly unknown[]): Reply {
  const start = count(query, 'start-index', 0, Number.MAX_SAFE_INTEGER)
  const max = count(query, 'max-results', 100, 1000)
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

/** @throws ApiError 400 */
export function count(query: URLSearchParams, name: string, fallback: number, max: number): number {
  const text = query.get(name)
  if (text === null) return fallback
  const value = Number(text)
  if (!/^\d+$/.test(text) || value > max) throw new ApiError(400, `${name} is not a number from 0 to ${max}.`)
  return value
}
