/**
 * Configuration as the ac-koa-hipchat family has it (protocol B1): a block of package.json for each NODE_ENV, overridden by the
 * environment, with `$NAME` in its texts. Reading alone; what the names mean for us stands in `environment.ts`.
 */

import { PartywallError } from '../../../core/errors.ts'

export type Environment = Readonly<Record<string, string | undefined>>
export type OldConfiguration = Readonly<Record<string, unknown>>

const DEFAULT_BLOCK = 'development'
/** Of a text with everything in place: texts that double each other would grow without end. */
const MAX_LENGTH = 8_192

/**
 * The configuration of one environment, names in UPPER_SNAKE.
 *
 * A variable of the environment counts only where its name is in the block or among the defaults; an empty one never.
 *
 * @param manifest  package.json, parsed
 * @param defaults  by UPPER_SNAKE name
 * @throws PartywallError ERR_CONFIG a block that is no object, `$NAME` that names nothing, itself or too much
 */
export function readOldConfiguration(
  manifest: unknown,
  environment: Environment,
  defaults: OldConfiguration,
): OldConfiguration {
  const block = blockOf(manifest, environment.NODE_ENV || DEFAULT_BLOCK)
  const given = new Map<string, unknown>(Object.entries(defaults))
  for (const [name, value] of Object.entries(block)) given.set(upperSnake(name), value)
  for (const [name, value] of given) {
    const own = Object.hasOwn(environment, name) ? environment[name] : undefined
    if (own !== undefined && own !== '' && (!isNested(value) || Array.isArray(value))) given.set(name, own)
  }
  const expand = createExpansion(given)
  return Object.freeze(Object.fromEntries([...given.keys()].map(name => [name, expand(name, [])])))
}

/** The error of a value that cannot be used; the value itself stays out of it. */
export const wrongOldValue = (name: string, expectation: string): PartywallError =>
  new PartywallError('ERR_CONFIG', { message: `${name} must be ${expectation}`, details: { name } })

function blockOf(manifest: unknown, name: string): object {
  const block = isNested(manifest) && Object.hasOwn(manifest, name) ? (manifest as OldConfiguration)[name] : {}
  if (isNested(block) && !Array.isArray(block)) return block
  throw wrongOldValue(name, 'an object in package.json')
}

/** `localBaseUrl`, `local-base-url` and `LOCAL_BASE_URL` are one name. */
const upperSnake = (name: string): string =>
  name
    .replace(/([a-z\d])([A-Z])/g, '$1_$2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1_$2')
    .replace(/-/g, '_')
    .toUpperCase()

/** Each name is filled in once: names that double each other cost no more than they are. */
function createExpansion(given: ReadonlyMap<string, unknown>) {
  const done = new Map<string, unknown>()
  /** @param trail  names that are being put into each other */
  const expand = (name: string, trail: readonly string[]): unknown => {
    if (done.has(name)) return done.get(name)
    const value = given.get(name)
    const filled = Array.isArray(value) ? value.map(one => fill(name, one, trail)) : fill(name, value, trail)
    done.set(name, filled)
    return filled
  }
  const fill = (name: string, value: unknown, trail: readonly string[]): unknown => {
    if (typeof value !== 'string') return value
    const filled = value.replace(/\$(?:\{(\w+)\}|(\w+))/g, (_, braced?: string, plain = '') => {
      const inner = braced ?? plain
      if (!given.has(inner)) throw wrongOldValue(name, `without $${inner}, which is no name of the configuration`)
      if (inner === name || trail.includes(inner)) throw wrongOldValue(name, `free of itself: $${inner} leads back`)
      return String(expand(inner, [...trail, name]))
    })
    if (filled.length > MAX_LENGTH)
      throw wrongOldValue(name, `at most ${MAX_LENGTH} characters with everything in place`)
    return filled
  }
  return expand
}

const isNested = (value: unknown): value is object => typeof value === 'object' && value !== null
