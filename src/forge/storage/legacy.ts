/**
 * Storage as SDKs before 2025 call it: GraphQL documents of fixed shapes, on the very rows that `kvs.ts` serves (Forge protocol s. 7.6,
 * read from `@forge/api` 3.9 and `@forge/storage` 1.5 and 2.0). What a client says of its tenant (`contextAri`) is not read.
 */

import type { JsonValue } from '../../core/tenant.ts'
import type { Caller, GuestResponse, GuestService } from '../services.ts'
import { checkKey, findEntity, type Given, record } from './check.ts'
import { type Page, queryEntities, queryKeys } from './queries.ts'
import { StorageError } from './storage-error.ts'
import {
  deleteValue,
  entityTarget,
  getValue,
  plainTarget,
  readWish,
  type StorageDeps,
  secretTarget,
  setValue,
  type Target,
} from './values.ts'

type Operation = (variables: Given, caller: Caller, deps: StorageDeps) => Promise<Given>

/** By the field that the document asks for; the longest names first, since some begin as others do. */
const OPERATIONS: readonly (readonly [field: string, run: Operation])[] = [
  ['setAppStoredCustomEntity', setOne(entityOf, 'appStorageCustomEntity', 'setAppStoredCustomEntity')],
  ['deleteAppStoredCustomEntity', deleteOne(entityOf, 'appStorageCustomEntity', 'deleteAppStoredCustomEntity')],
  ['setAppStoredEntity', setOne(plainOf, 'appStorage', 'setAppStoredEntity')],
  ['deleteAppStoredEntity', deleteOne(plainOf, 'appStorage', 'deleteAppStoredEntity')],
  ['appStoredCustomEntities', queryCustom],
  ['appStoredCustomEntity', getOne(entityOf, 'appStoredCustomEntity')],
  ['appStoredEntities', queryPlain],
  ['appStoredEntity', getOne(plainOf, 'appStoredEntity')],
]

export function createLegacyStorage(deps: StorageDeps): GuestService {
  return {
    async handle(caller, request) {
      const { query, variables } = readDocument(request.body)
      const [, run] = OPERATIONS.find(([field]) => new RegExp(`\\b${field}\\b`).test(query)) ?? []
      if (run === undefined) return answer({ errors: [{ message: 'storage has no such operation' }] })
      try {
        return answer({ data: await run(variables, caller, deps) })
      } catch (error) {
        if (!(error instanceof StorageError)) throw error
        const { code, message, status } = error
        return answer({ errors: [{ message, extensions: { errorType: code, statusCode: status } }] })
      }
    },
  }
}

type PickTarget = (given: Given, caller: Caller) => Target

function plainOf({ encrypted }: Given, { context }: Caller): Target {
  return encrypted === true ? secretTarget(context) : plainTarget(context)
}

function entityOf({ entityName }: Given, { context, manifest }: Caller): Target {
  return entityTarget(context, findEntity(entityName, manifest.entities))
}

function getOne(pick: PickTarget, field: string): Operation {
  return async (variables, caller, deps) => {
    const key = checkKey(variables.key, deps.limits)
    const value = await getValue(pick(variables, caller), key, deps)
    return { [field]: { key, value: value === undefined ? null : parsed(value.text) } }
  }
}

function setOne(pick: PickTarget, group: string, field: string): Operation {
  return async (variables, caller, deps) => {
    const input = inputOf(variables)
    const target = pick(input, caller)
    await setValue(target, readWish({ key: input.key, value: input.value }, target, deps.limits), deps)
    return { [group]: { [field]: DONE } }
  }
}

function deleteOne(pick: PickTarget, group: string, field: string): Operation {
  return async (variables, caller, deps) => {
    const input = inputOf(variables)
    await deleteValue(pick(input, caller), checkKey(input.key, deps.limits), deps)
    return { [group]: { [field]: DONE } }
  }
}

async function queryPlain({ where, cursor, limit }: Given, { context }: Caller, deps: StorageDeps): Promise<Given> {
  const conditions = (Array.isArray(where) ? where : []).map((one: unknown) => {
    const { field, condition, value } = record(one, 'where')
    // What the older generation calls STARTS_WITH is BEGINS_WITH now.
    return { property: field, condition: condition === 'STARTS_WITH' ? 'BEGINS_WITH' : condition, values: [value] }
  })
  const page = await queryKeys(context, { limit, after: emptyToNone(cursor), where: conditions }, deps)
  return { appStoredEntities: edgesOf(page) }
}

async function queryCustom(variables: Given, { context, manifest }: Caller, deps: StorageDeps): Promise<Given> {
  const definition = findEntity(variables.entityName, manifest.entities)
  const query = { ...variables, cursor: emptyToNone(variables.cursor), partition: variables.partition ?? undefined }
  const page = await queryEntities(context, definition, query, deps)
  return { appStoredCustomEntities: { ...edgesOf(page), totalCount: page.rows.length, cursor: page.cursor ?? null } }
}

/** A page's own cursor goes with its last row, which is where clients look for it. */
function edgesOf({ rows, cursor }: Page) {
  return {
    edges: rows.map(({ key, text }, index) => ({
      node: { key, value: parsed(text) },
      cursor: index === rows.length - 1 ? (cursor ?? null) : null,
    })),
    pageInfo: { hasNextPage: cursor !== undefined },
  }
}

const DONE = { success: true, errors: null }
const parsed = (text: string): JsonValue => JSON.parse(text) as JsonValue
const emptyToNone = (cursor: unknown): unknown => (cursor === '' ? undefined : cursor)
/** Older clients put the arguments of a mutation into `input`, newer ones beside it. */
const inputOf = (variables: Given): Given =>
  typeof variables.input === 'object' && variables.input !== null ? record(variables.input, 'input') : variables

function readDocument(body: Parameters<GuestService['handle']>[1]['body']): { query: string; variables: Given } {
  const text = body !== undefined && 'text' in body ? body.text : '{}'
  let given: unknown
  try {
    given = JSON.parse(text)
  } catch {
    return { query: '', variables: {} }
  }
  const { query, variables } = typeof given === 'object' && given !== null ? (given as Given) : {}
  return {
    query: typeof query === 'string' ? query : '',
    variables: typeof variables === 'object' && variables !== null ? (variables as Given) : {},
  }
}

/** Errors are told in the body: of other statuses than 200 the clients say only a fixed sentence. */
const answer = (body: unknown): GuestResponse => ({
  status: 200,
  statusText: 'OK',
  headers: [['content-type', 'application/json']],
  body: { text: JSON.stringify(body) },
})
