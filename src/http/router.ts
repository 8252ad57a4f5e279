/**
 * Our own routes, matched on the raw target: exact text, `:name` for one segment, `*` for the rest. No normalising, no second spelling, no
 * method override. Whatever does not match exactly is not ours.
 */

import { PartywallError } from '../core/errors.ts'
import { emptyAnswer, ensurePrivate, errorAnswer, withHeaders } from './answers.ts'
import { decodeSegment, isOriginForm, splitTarget, type Target } from './target.ts'
import type { Answer, Mountable, RequestView, Route } from './view.ts'

/** Hears of every error that became a 5xx, for the log. */
export type ErrorListener = (error: unknown, view: RequestView) => void

type Methods = Map<string, Route>
interface Pattern {
  /** Fixed text, or `undefined` where a segment is taken as parameter. */
  readonly segments: readonly (string | undefined)[]
  readonly names: readonly string[]
  readonly methods: Methods
}
/** By the number of segments; those that may have more stand apart, and come last. */
type Patterns = Map<number | 'open', Pattern[]>
interface Match {
  readonly methods: Methods
  readonly params: Readonly<Record<string, string>>
}

const NO_PARAMS: Readonly<Record<string, string>> = Object.freeze(Object.create(null))
const FIXED_SEGMENT = /^[A-Za-z0-9._~!$&'()*+,;=@-]+$/
const PARAMETER = /^:([A-Za-z][A-Za-z0-9_]*)$/

/**
 * @param routes    fixed when the router is made
 * @param basePath  path of the app's base URL: empty or `/prefix`, without slash at its end
 * @param onError   hears of errors that became a 5xx
 * @returns answers our routes; 405 with `Allow` for another method, 400 for a broken segment; `undefined` for any other path
 * @throws TypeError for a route that cannot be matched exactly or is there twice
 */
export function createRouter(routes: readonly Route[], basePath: string, onError: ErrorListener): Mountable {
  if (basePath !== '' && !/^(?:\/[^/?#]+)+$/.test(basePath)) throw new TypeError(`base path ${basePath}: /a/b expected`)
  const fixed = new Map<string, Methods>()
  const patterns: Patterns = new Map()
  for (const route of routes) addRoute(fixed, patterns, route)

  const find = (target: Target) => {
    const path = pathBelow(basePath, target.path)
    if (path === undefined) return undefined
    const methods = fixed.get(path)
    const match = methods === undefined ? matchPatterns(patterns, path) : { methods, params: NO_PARAMS }
    return match === undefined ? undefined : { path, match }
  }
  return {
    owns: view => find(splitTarget(view.target)) !== undefined,
    handle(view) {
      const target = splitTarget(view.target)
      const found = find(target)
      if (found === undefined) return undefined
      const { path, match } = found
      if (match === 'malformed' || !isOriginForm(view.target)) {
        return errorAnswer(new PartywallError('ERR_REQUEST_TARGET'))
      }
      const route = routeFor(match.methods, view.method)
      if (route === undefined) return otherMethod(match.methods, view.method)
      return run(route, { view, path, query: target.query, params: match.params }, onError)
    },
  }
}

function addRoute(fixed: Map<string, Methods>, patterns: Patterns, route: Route): void {
  const methods = /:|\*$/.test(route.path) ? methodsOfPattern(patterns, route.path) : methodsOfFixed(fixed, route.path)
  if (methods.has(route.method)) throw new TypeError(`route ${route.method} ${route.path} is there twice`)
  methods.set(route.method, route)
}

function methodsOfFixed(fixed: Map<string, Methods>, path: string): Methods {
  if (path !== '/') parsePattern(path)
  const methods = fixed.get(path) ?? new Map<string, Route>()
  fixed.set(path, methods)
  return methods
}

function methodsOfPattern(patterns: Patterns, path: string): Methods {
  const isOpen = path.endsWith('/*')
  const { segments, names } = parsePattern(isOpen ? path.slice(0, -2) : path)
  const place = isOpen ? 'open' : segments.length
  const bucket = patterns.get(place) ?? []
  patterns.set(place, bucket)
  const same = bucket.find(pattern => pattern.segments.every((segment, index) => segment === segments[index]))
  if (same !== undefined && same.names.join() !== names.join()) {
    throw new TypeError(`route ${path}: the same path has other parameter names elsewhere`)
  }
  if (same !== undefined) return same.methods
  const methods: Methods = new Map()
  bucket.push({ segments, names, methods })
  // Fixed text wins over a parameter in the same place, whatever the order of the routes.
  bucket.sort((left, right) => rank(left).localeCompare(rank(right)))
  return methods
}

const rank = (pattern: Pattern): string => pattern.segments.map(segment => (segment === undefined ? '1' : '0')).join('')

function parsePattern(path: string): Pick<Pattern, 'segments' | 'names'> {
  if (!path.startsWith('/')) throw new TypeError(`route ${path}: must start with /`)
  const names: string[] = []
  const segments = path
    .slice(1)
    .split('/')
    .map(segment => {
      const name = PARAMETER.exec(segment)?.[1]
      if (name !== undefined) names.push(name)
      else if (!FIXED_SEGMENT.test(segment) || /^\.\.?$/.test(segment)) {
        throw new TypeError(`route ${path}: segment "${segment}" cannot be matched exactly`)
      }
      return name === undefined ? segment : undefined
    })
  return { segments, names }
}

function pathBelow(basePath: string, path: string): string | undefined {
  if (basePath === '') return path
  if (!path.startsWith(basePath)) return undefined
  if (path.length === basePath.length) return '/'
  return path.charCodeAt(basePath.length) === 0x2f ? path.slice(basePath.length) : undefined
}

function matchPatterns(patterns: Patterns, path: string): Match | 'malformed' | undefined {
  if (patterns.size === 0 || !path.startsWith('/')) return undefined
  const segments = path.slice(1).split('/')
  const pattern =
    patterns.get(segments.length)?.find(candidate => fits(candidate, segments)) ??
    patterns.get('open')?.find(candidate => candidate.segments.length <= segments.length && fits(candidate, segments))
  if (pattern === undefined) return undefined
  const params: Record<string, string> = Object.create(null)
  let next = 0
  for (const [index, fixedText] of pattern.segments.entries()) {
    if (fixedText !== undefined) continue
    const value = decodeSegment(segments[index] ?? '')
    if (value === undefined) return 'malformed'
    params[pattern.names[next++] ?? ''] = value
  }
  return { methods: pattern.methods, params }
}

const fits = (pattern: Pattern, segments: readonly string[]): boolean =>
  pattern.segments.every((fixedText, index) =>
    fixedText === undefined ? segments[index] !== '' : fixedText === segments[index],
  )

const routeFor = (methods: Methods, method: string): Route | undefined =>
  methods.get(method) ?? methods.get('*') ?? (method === 'HEAD' ? methods.get('GET') : undefined)

function otherMethod(methods: Methods, method: string): Answer {
  const names = new Set(methods.keys())
  if (names.has('GET')) names.add('HEAD')
  const allow = ['allow', [...names, 'OPTIONS'].join(', ')]
  if (method === 'OPTIONS') return emptyAnswer(204, allow)
  return withHeaders(errorAnswer(new PartywallError('ERR_METHOD_NOT_ALLOWED')), allow)
}

// No `async` here: a handler that answers at once costs no promise.
function run(route: Route, request: Parameters<Route['handle']>[0], onError: ErrorListener): Answer | Promise<Answer> {
  const extend = (made: Answer): Answer => (route.headers === undefined ? made : withHeaders(made, route.headers))
  const finish = (made: Answer): Answer => extend(route.isPublic === true ? made : ensurePrivate(made))
  const fail = (error: unknown): Answer => {
    const made = errorAnswer(error)
    if (made.status >= 500) onError(error, request.view)
    return extend(made)
  }
  try {
    const made = route.handle(request)
    return made instanceof Promise ? made.then(finish).catch(fail) : finish(made)
  } catch (error) {
    return fail(error)
  }
}
