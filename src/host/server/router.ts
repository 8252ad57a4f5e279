/** Finds the route of a path in a small table. */

import type { Installation } from '../clients/installation.ts'
import type { Route } from './reply.ts'

export type Found<Owner = Installation> =
  | { readonly kind: 'route'; readonly route: Route<Owner>; readonly params: Readonly<Record<string, string>> }
  | { readonly kind: 'method-not-allowed'; readonly allow: string }
  | { readonly kind: 'not-found' }
  | { readonly kind: 'malformed' }

export type Router<Owner = Installation> = (method: string, pathname: string) => Found<Owner>

interface Path<Owner> {
  readonly segments: readonly string[]
  readonly routes: Map<string, Route<Owner>>
}

export function createRouter<Owner = Installation>(routes: readonly Route<Owner>[]): Router<Owner> {
  const paths = new Map<string, Path<Owner>>()
  for (const route of routes) {
    const path: Path<Owner> = paths.get(route.path) ?? { segments: route.path.split('/'), routes: new Map() }
    path.routes.set(route.method, route)
    paths.set(route.path, path)
  }
  // Fixed segments before parameters: `history/latest` is not a message id.
  const ordered = [...paths.values()].sort((a, b) => fixedCount(b) - fixedCount(a))
  return (method, pathname) => {
    const actual = pathname.split('/')
    const path = ordered.find(one => matches(one.segments, actual))
    if (path === undefined) return { kind: 'not-found' }
    const route = path.routes.get(method)
    if (route === undefined) return { kind: 'method-not-allowed', allow: [...path.routes.keys()].join(', ') }
    const params = readParams(path.segments, actual)
    return params === undefined ? { kind: 'malformed' } : { kind: 'route', route, params }
  }
}

const isFixed = (segment: string): boolean => !segment.startsWith(':')
const fixedCount = (path: Pick<Path<never>, 'segments'>): number => path.segments.filter(isFixed).length

const matches = (segments: readonly string[], actual: readonly string[]): boolean =>
  segments.length === actual.length &&
  segments.every((segment, index) => (isFixed(segment) ? actual[index] === segment : actual[index] !== ''))

function readParams(segments: readonly string[], actual: readonly string[]): Record<string, string> | undefined {
  const params: Record<string, string> = {}
  for (const [index, segment] of segments.entries()) {
    if (isFixed(segment)) continue
    try {
      params[segment.slice(1)] = decodeURIComponent(actual[index] ?? '')
    } catch (error) {
      if (error instanceof URIError) return undefined
      throw error
    }
  }
  return params
}
