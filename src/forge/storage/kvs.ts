/**
 * The key-value service that `@forge/kvs` calls (Forge protocol s. 7, read from 1.2 and 1.6): paths, shapes, statuses and codes. The
 * tenant is the caller's; nothing in a request names one.
 */

import { createBuckets } from '../../core/buckets.ts'
import type { Clock } from '../../core/ports.ts'
import type { JsonValue } from '../../core/tenant.ts'
import type { Caller, GuestResponse, GuestService } from '../services.ts'
import { checkKey, findEntity, type Given, record } from './check.ts'
import { runBatch, runTransaction } from './groups.ts'
import { queryEntities, queryKeys } from './queries.ts'
import type { StoredValue } from './rows.ts'
import { StorageError } from './storage-error.ts'
import {
  deleteValue,
  entityTarget,
  getValue,
  insertValue,
  plainTarget,
  readWish,
  type StorageDeps,
  secretTarget,
  setValue,
  swapValue,
  type Target,
} from './values.ts'

type Result = { readonly status: number; readonly body?: Given }
type Operation = (given: unknown, caller: Caller, deps: StorageDeps) => Promise<Result>
type PickTarget = (given: Given, caller: Caller) => Target

const plain: PickTarget = (_, { context }) => plainTarget(context)
const secret: PickTarget = (_, { context }) => secretTarget(context)
const entity: PickTarget = ({ entityName }, { context, manifest }) =>
  entityTarget(context, findEntity(entityName, manifest.entities))

const OPERATIONS: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  ['get', get(plain)],
  ['set', set(plain)],
  ['delete', remove(plain)],
  ['secret/get', get(secret)],
  ['secret/set', set(secret)],
  ['secret/delete', remove(secret)],
  ['entity/get', get(entity)],
  ['entity/set', set(entity)],
  ['entity/delete', remove(entity)],
  ['query', async (given, caller, deps) => pageOf(await queryKeys(caller.context, record(given), deps), given)],
  [
    'entity/query',
    async (given, caller, deps) => {
      const query = record(given)
      const definition = findEntity(query.entityName, caller.manifest.entities)
      return pageOf(await queryEntities(caller.context, definition, query, deps), given)
    },
  ],
  ['batch/get', batch('get')],
  ['batch/set', batch('set')],
  ['batch/delete', batch('delete')],
  [
    'transaction',
    async (given, { context, manifest }, deps) => {
      await runTransaction(given, context, manifest.entities, deps)
      return { status: 204 }
    },
  ],
])

export function createKvsService(deps: StorageDeps & { readonly clock: Clock }): GuestService {
  const { requestsPerSecond } = deps.limits
  const buckets = createBuckets<string>(deps.clock, { perSecond: requestsPerSecond, burst: requestsPerSecond })
  return {
    async handle(caller, request) {
      const name = /^\/?(?:api\/)?v1\/([a-z/]+)\/?$/.exec(request.path)?.[1] ?? ''
      const operation = OPERATIONS.get(name)
      if (operation === undefined) return refusal(404, 'INVALID_REQUEST', `storage has no operation ${name}`)
      try {
        if (buckets.take(caller.context.tenantUid) > 0)
          throw new StorageError('RATE_LIMIT_EXCEEDED', `storage takes ${requestsPerSecond} requests a second`)
        const { status, body } = await operation(bodyOf(request.body), caller, deps)
        return { status, statusText: '', headers: JSON_HEADERS, ...(body === undefined ? {} : textOf(body)) }
      } catch (error) {
        if (!(error instanceof StorageError)) throw error
        return refusal(error.status, error.code, error.message)
      }
    },
  }
}

function get(pick: PickTarget): Operation {
  return async (given, caller, deps) => {
    const request = record(given)
    const key = checkKey(request.key, deps.limits)
    const value = await getValue(pick(request, caller), key, deps)
    if (value === undefined) throw new StorageError('KEY_NOT_FOUND', `there is no value for the key ${key}`)
    return { status: 200, body: described(value, fieldsOf(request.options, 'metadataFields')) }
  }
}

function set(pick: PickTarget): Operation {
  return async (given, caller, deps) => {
    const request = record(given)
    const target = pick(request, caller)
    const wish = readWish(request, target, deps.limits)
    const { keyPolicy, returnValue } = request.options == null ? ({} as Given) : record(request.options, 'options')
    const isInsert = keyPolicy === 'FAIL_IF_EXISTS'
    if (returnValue != null && isInsert)
      throw new StorageError('INVALID_KEY_POLICY_RETURN_VALUE_COMBINATION', 'returnValue needs the policy OVERRIDE')
    if (returnValue === 'PREVIOUS') {
      const { before } = await swapValue(target, wish, deps)
      const fields = fieldsOf(request.options, 'returnMetadataFields')
      return { status: 200, body: before === undefined ? { key: wish.key } : described(before, fields) }
    }
    const written = isInsert ? await insertValue(target, wish, deps) : await setValue(target, wish, deps)
    if (returnValue !== 'LATEST') return { status: 204 }
    const text = { ...written, text: wish.text }
    return { status: 200, body: described(text, fieldsOf(request.options, 'returnMetadataFields')) }
  }
}

function remove(pick: PickTarget): Operation {
  return async (given, caller, deps) => {
    const request = record(given)
    await deleteValue(pick(request, caller), checkKey(request.key, deps.limits), deps)
    return { status: 204 }
  }
}

function batch(kind: 'get' | 'set' | 'delete'): Operation {
  return async (given, { context, manifest }, deps) => ({
    status: 200,
    body: { ...(await runBatch(kind, given, context, manifest.entities, deps)) },
  })
}

function pageOf(
  { rows, cursor }: { rows: readonly StoredValue[]; cursor: string | undefined },
  given: unknown,
): Result {
  const fields = fieldsOf(record(given).options, 'metadataFields')
  const data = rows.map(row => described(row, fields))
  return { status: 200, body: { data, ...(cursor === undefined ? {} : { cursor }) } }
}

function fieldsOf(options: unknown, name: string): ReadonlySet<unknown> {
  const given = options == null ? undefined : record(options, 'options')[name]
  return new Set(Array.isArray(given) ? given : [])
}

function described({ key, text, createdAt, updatedAt, expiresAt }: StoredValue, fields: ReadonlySet<unknown>): Given {
  return {
    key,
    value: JSON.parse(text) as JsonValue,
    ...(fields.has('CREATED_AT') ? { createdAt } : {}),
    ...(fields.has('UPDATED_AT') ? { updatedAt } : {}),
    ...(fields.has('EXPIRE_TIME') && expiresAt !== undefined ? { expireTime: new Date(expiresAt).toISOString() } : {}),
  }
}

const JSON_HEADERS: GuestResponse['headers'] = [['content-type', 'application/json']]
const textOf = (body: unknown) => ({ body: { text: JSON.stringify(body) } })

const refusal = (status: number, code: string, message: string): GuestResponse => ({
  status,
  statusText: '',
  headers: JSON_HEADERS,
  ...textOf({ code, message }),
})

/** @throws StorageError INVALID_REQUEST */
function bodyOf(body: Parameters<GuestService['handle']>[1]['body']): unknown {
  const text =
    body === undefined ? '' : 'text' in body ? body.text : Buffer.from(body.base64, 'base64').toString('utf8')
  try {
    return JSON.parse(text)
  } catch {
    throw new StorageError('INVALID_REQUEST', 'the body is not JSON')
  }
}
