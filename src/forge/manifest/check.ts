/** What the parts of a manifest say of each other: that a module's function is there, that keys are unique, how many there may be. */

import type { Report } from './read.ts'
import { type GivenManifest, MODULE_SCHEMAS, UI_MODULE_TYPE } from './schema.ts'

const STORAGE_SCOPE = 'storage:app'
const MAX_SCHEDULED = 5

interface Loose {
  readonly [name: string]: unknown
}

/** Of a manifest whose shape is right. */
export function checkReferences(given: GivenManifest, wrong: Report, warn: Report): void {
  const modules = modulesOf(given)
  const functions = new Set(modules('function').map(({ key }) => key))
  const endpoints = new Set(modules('endpoint').map(({ key }) => key))
  for (const [type, list] of Object.entries(given.modules ?? {})) {
    checkKeys(type, list ?? [], wrong)
    for (const [index, module] of ((list ?? []) as Loose[]).entries()) {
      const at = ['modules', type, index]
      for (const [name, place] of targetsOf(type, module)) {
        const known = name === 'function' ? functions : endpoints
        const value = place.value
        if (typeof value === 'string' && !known.has(value)) {
          wrong([...at, ...place.path], `there is no ${name} module with the key ${JSON.stringify(value)}`)
        }
      }
      if (
        needsTarget(type) &&
        module.function === undefined &&
        module.endpoint === undefined &&
        module.resolver === undefined
      ) {
        wrong(at, `a ${type} names the function that it runs`)
      }
    }
  }
  checkSchedules(modules('scheduledTrigger'), wrong)
  checkResources(given, wrong)
  checkEntities(given, wrong, warn)
}

const modulesOf =
  (given: GivenManifest) =>
  (type: string): readonly Loose[] =>
    given.modules?.[type] ?? []

function checkKeys(type: string, list: readonly Loose[], wrong: Report): void {
  const seen = new Set<unknown>()
  for (const [index, { key }] of list.entries()) {
    if (key !== undefined && seen.has(key))
      wrong(['modules', type, index, 'key'], `two ${type} modules have the key ${String(key)}`)
    seen.add(key)
  }
}

const needsTarget = (type: string): boolean => type !== 'function' && Object.hasOwn(MODULE_SCHEMAS, type)

/** Where a module names a function or an endpoint. */
function targetsOf(type: string, module: Loose) {
  if (type === 'function') return []
  const found: [name: 'function' | 'endpoint', place: { value: unknown; path: string[] }][] = []
  const isOurs = Object.hasOwn(MODULE_SCHEMAS, type)
  const resolver = module.resolver as Loose | undefined
  for (const name of ['function', 'endpoint'] as const) {
    if (isOurs) found.push([name, { value: module[name], path: [name] }])
    if ((isOurs || UI_MODULE_TYPE.test(type)) && resolver !== undefined)
      found.push([name, { value: resolver[name], path: ['resolver', name] }])
  }
  return found
}

function checkSchedules(schedules: readonly Loose[], wrong: Report): void {
  const at = ['modules', 'scheduledTrigger']
  if (schedules.length > MAX_SCHEDULED) wrong(at, `an app has at most ${MAX_SCHEDULED} scheduled triggers`)
  if (schedules.filter(({ interval }) => interval === 'fiveMinute').length > 1) {
    wrong(at, 'an app has at most one scheduled trigger of five minutes')
  }
}

function checkResources(given: GivenManifest, wrong: Report): void {
  const keys = new Set<string>()
  for (const [index, { key }] of (given.resources ?? []).entries()) {
    if (keys.has(key)) wrong(['resources', index, 'key'], `two resources have the key ${key}`)
    keys.add(key)
  }
  for (const [type, list] of Object.entries(given.modules ?? {})) {
    if (!UI_MODULE_TYPE.test(type)) continue
    for (const [index, { resource }] of ((list ?? []) as Loose[]).entries()) {
      if (typeof resource === 'string' && !keys.has(resource.split('/', 1)[0] ?? '')) {
        wrong(['modules', type, index, 'resource'], `there is no resource with the key ${JSON.stringify(resource)}`)
      }
    }
  }
}

function checkEntities(given: GivenManifest, wrong: Report, warn: Report): void {
  const entities = given.app.storage?.entities ?? []
  const { scopes } = given.permissions ?? {}
  const names = Array.isArray(scopes) ? scopes : Object.keys(scopes ?? {})
  if (entities.length > 0 && !names.includes(STORAGE_SCOPE)) {
    warn(['app', 'storage'], `the app has entities and does not ask for the scope ${STORAGE_SCOPE}`)
  }
  const seen = new Set<string>()
  for (const [index, { name, attributes, indexes = [] }] of entities.entries()) {
    const at = ['app', 'storage', 'entities', index]
    if (seen.has(name)) wrong([...at, 'name'], `two entities have the name ${name}`)
    seen.add(name)
    for (const [position, entry] of indexes.entries()) {
      const used = typeof entry === 'string' ? [entry] : [...entry.range, ...(entry.partition ?? [])]
      for (const attribute of used) {
        if (!Object.hasOwn(attributes, attribute)) {
          wrong([...at, 'indexes', position], `the entity has no attribute ${JSON.stringify(attribute)}`)
        }
      }
    }
  }
}
