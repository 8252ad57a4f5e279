/**
 * Values kept at the product (protocol s. 8): properties of the app, which only the app writes, and properties of issues,
 * projects, users, comments and content. Same verbs as `tenantStore`; the limits are the product's.
 */

import * as z from 'zod'
import type { JsonValue } from '../../core/tenant.ts'
import { segment } from '../common/address.ts'
import { checkAnswer, invalidField } from '../common/check.ts'
import type { ProductMethod, ProductRequest } from './call-request.ts'
import type { Exchange } from './host-api.ts'
import type { ConnectScope } from './options.ts'
import type { ProductAnswer } from './product-answer.ts'

/** Errors as of `Exchange`; ERR_CALL_INVALID for a key or value that no product takes. */
export interface ProductProperties {
  /** `undefined` when there is none. */
  get(key: string): Promise<JsonValue | undefined>
  /** @param value at most 32 KiB as JSON */
  set(key: string, value: JsonValue): Promise<{ readonly isNew: boolean }>
  /** True when something was deleted. */
  del(key: string): Promise<boolean>
  /** All keys. */
  list(): Promise<readonly string[]>
}

/** Kinds of things in Jira that have properties. */
const ENTITIES = {
  board: '/rest/agile/1.0/board/{id}',
  comment: '/rest/api/3/comment/{id}',
  dashboardItem: '/rest/api/3/dashboard/{id}',
  issue: '/rest/api/3/issue/{id}',
  issuetype: '/rest/api/3/issuetype/{id}',
  project: '/rest/api/3/project/{id}',
  sprint: '/rest/agile/1.0/sprint/{id}',
  user: '/rest/api/3/user',
} as const
export type PropertyEntity = keyof typeof ENTITIES

const MAX_KEY_LENGTH = 127
const MAX_VALUE_BYTES = 32_768
const SUBJECT = 'the property'
const valueShape = z.looseObject({ value: z.json() })
const keysShape = z.looseObject({ keys: z.array(z.looseObject({ key: z.string() })).max(10_000) })

export const createAppProperties = (exchange: Exchange, appKey: string): ProductProperties =>
  createProperties(exchange, `/rest/atlassian-connect/1/addons/${segment(appKey)}/properties`, {})

/** @throws PartywallError ERR_CALL_INVALID, ERR_OUTBOUND_URL */
export function createEntityProperties(
  exchange: Exchange,
  entity: PropertyEntity,
  id: string | number,
): ProductProperties {
  if (!Object.hasOwn(ENTITIES, entity))
    throw invalidField('entity', `one of ${Object.keys(ENTITIES).join(', ')}`, SUBJECT)
  const name = segment(id)
  // A user is a parameter there; everything else is part of the path.
  if (entity === 'user') return createProperties(exchange, `${ENTITIES.user}/properties`, { accountId: String(id) })
  return createProperties(exchange, `${ENTITIES[entity].replace('{id}', () => name)}/properties`, {})
}

function createProperties(
  exchange: Exchange,
  base: string,
  query: Readonly<Record<string, string>>,
): ProductProperties {
  const call = (method: ProductMethod, path: string, expect: readonly number[], request: ProductRequest = {}) =>
    exchange(method, base + path, { query, expect, ...request })
  const at = (key: string) => `/${checkKey(key)}`
  return {
    async get(key) {
      const answer = await call('GET', at(key), [200, 404])
      return answer.status === 404 ? undefined : checkAnswer(valueShape, answer.body).value
    },
    async set(key, value) {
      checkValue(value)
      const { status } = await call('PUT', at(key), [200, 201], { body: value })
      return { isNew: status === 201 }
    },
    async del(key) {
      const scope = deleteScope(base)
      return wasThere(await call('DELETE', at(key), [200, 204, 404], scope === undefined ? {} : { scope }))
    },
    async list() {
      return checkAnswer(keysShape, (await call('GET', '', [200])).body).keys.map(({ key }) => key)
    },
  }
}

/** Taking away a property changes its owner, which stays. */
const deleteScope = (base: string): ConnectScope | undefined =>
  base.startsWith('/rest/atlassian-connect/') ? undefined : 'WRITE'

const wasThere = ({ status }: ProductAnswer): boolean => status !== 404

export function checkKey(key: string): string {
  const isKey = typeof key === 'string' && key.length <= MAX_KEY_LENGTH
  if (!isKey) throw invalidField('key', `1 to ${MAX_KEY_LENGTH} characters`, SUBJECT)
  return segment(key)
}

export function checkValue(value: unknown): void {
  const text = JSON.stringify(value)
  const fits = text !== undefined && Buffer.byteLength(text) <= MAX_VALUE_BYTES
  if (!fits) throw invalidField('value', `JSON of at most ${MAX_VALUE_BYTES} bytes`, SUBJECT)
}
