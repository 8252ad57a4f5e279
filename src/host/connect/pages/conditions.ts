/** Conditions of modules: built-in ones in part, properties of entities and of the app, `and`, `or`, `invert` (protocol s. 8). */

import type { ConnectInstallation } from '../apps/installation.ts'
import type { Place } from '../tokens/claims.ts'
import { pageModule } from './page-url.ts'

type Json = Readonly<Record<string, unknown>>
interface Subject {
  readonly installation: ConnectInstallation
  readonly place: Place
}

/** @throws TypeError without such a module, or for a condition this host does not know: it would guess */
export function isShown(installation: ConnectInstallation, moduleKey: string, place: Place): boolean {
  const { conditions } = pageModule(installation, moduleKey)
  return conditions.every(condition => holds({ installation, place }, condition))
}

function holds(subject: Subject, condition: unknown): boolean {
  const { and, or, condition: name, invert, params = {} } = recordOf(condition)
  if (Array.isArray(and)) return and.every(one => holds(subject, one))
  if (Array.isArray(or)) return or.some(one => holds(subject, one))
  return isTrue(subject, String(name), recordOf(params)) !== (invert === true || invert === 'true')
}

const BUILT_IN: Readonly<Record<string, (subject: Subject, params: Json) => boolean>> = {
  user_is_logged_in: ({ place }) => place.user != null,
  user_is_admin: ({ place }) => place.user?.isAdmin === true,
  user_is_sysadmin: ({ place }) => place.user?.isAdmin === true,
  addon_is_licensed: ({ installation }) => installation.licence === 'active',
  has_issue_permission: hasPermission,
  has_project_permission: hasPermission,
  has_global_permission: hasPermission,
  has_selected_project: ({ place }) => (place.project ?? place.issue?.project) !== undefined,
  has_space: ({ place }) => (place.space ?? place.content?.space) !== undefined,
  has_page: ({ place }) => place.content !== undefined,
  entity_property_exists: (subject, params) => propertyOf(subject, params) !== undefined,
  entity_property_equal_to: (subject, params) => asText(propertyOf(subject, params)) === asText(params.value),
  entity_property_contains_any: (subject, params) => compareLists(subject, params, 'some'),
  entity_property_contains_all: (subject, params) => compareLists(subject, params, 'every'),
}

function isTrue(subject: Subject, name: string, params: Json): boolean {
  const test = Object.hasOwn(BUILT_IN, name) ? BUILT_IN[name] : undefined
  if (test === undefined) throw new TypeError(`this host does not know the condition ${name}`)
  return test(subject, params)
}

function hasPermission({ place }: Subject, { permission }: Json): boolean {
  return typeof permission === 'string' && place.user?.may(permission) === true
}

function compareLists(subject: Subject, params: Json, how: 'some' | 'every'): boolean {
  const value = propertyOf(subject, params)
  const wanted: unknown = typeof params.value === 'string' ? JSON.parse(params.value) : params.value
  if (!Array.isArray(value) || !Array.isArray(wanted)) return false
  return wanted[how]((one: unknown) => value.includes(one))
}

/** The property, or the part of it that `objectName` names: `a.b`. */
function propertyOf({ installation, place }: Subject, { entity, propertyKey, objectName }: Json): unknown {
  const stored = propertiesOf(installation, place, String(entity))?.get(String(propertyKey))
  if (typeof objectName !== 'string') return stored
  return objectName.split('.').reduce<unknown>((value, name) => recordOf(value)[name], stored)
}

function propertiesOf(
  installation: ConnectInstallation,
  { issue, project = issue?.project, content, space = content?.space }: Place,
  entity: string,
): Pick<ReadonlyMap<string, unknown>, 'get'> | undefined {
  switch (entity) {
    case 'addon':
      return installation.properties
    case 'issue':
      return issue?.properties
    case 'project':
      return project?.properties
    case 'space':
      return space?.properties
    case 'content':
      return content && { get: key => content.properties.get(key)?.value }
    default:
      return undefined
  }
}

/** Descriptors write values as text. */
const asText = (value: unknown): string | undefined => (typeof value === 'string' ? value : JSON.stringify(value))

const recordOf = (value: unknown): Json => (typeof value === 'object' && value !== null ? (value as Json) : {})
