/** Properties: JSON by key, of the app, of issues, projects and users; list, read, set, delete. */

import { ApiError } from '../../server/api-error.ts'
import type { Reply } from '../../server/reply.ts'
import type { ConnectScopeName } from '../apps/scopes.ts'
import type { ProductType } from '../sites/product.ts'
import { found, jsonOf } from './body.ts'
import type { ProductCall, ProductRoute } from './product-route.ts'

const MAX_KEY_LENGTH = 127
const MAX_VALUE_BYTES = 32_768
const MAX_KEYS = 100

export interface PropertyPlace {
  readonly products: readonly ProductType[]
  /** Ends before `/properties`. */
  readonly path: string
  readonly read: ConnectScopeName
  readonly write: ConnectScopeName
  /** @throws ApiError 404 */
  readonly of: (call: ProductCall) => Map<string, unknown>
}

export function propertyRoutes({ products, path, read, write, of }: PropertyPlace): ProductRoute[] {
  const list = `${path}/properties`
  const one = `${list}/:propertyKey`
  return [
    { products, method: 'GET', path: list, scope: read, handle: call => describeAll(call, of(call)) },
    {
      products,
      method: 'GET',
      path: one,
      scope: read,
      handle: call => describe(call.param('propertyKey'), of(call)),
    },
    { products, method: 'PUT', path: one, scope: write, handle: call => set(call, of(call)) },
    {
      products,
      method: 'DELETE',
      path: one,
      scope: write,
      handle: call => remove(call.param('propertyKey'), of(call)),
    },
  ]
}

const describeAll = ({ call, product }: ProductCall, properties: Map<string, unknown>): Reply => {
  const here = `${new URL(product.baseUrl).origin}${call.target.split('?', 1)[0]}`
  const keys = [...properties.keys()].map(key => ({ key, self: `${here}/${encodeURIComponent(key)}` }))
  return { status: 200, json: { keys } }
}

function describe(key: string, properties: Map<string, unknown>): Reply {
  if (!properties.has(key)) throw new ApiError(404, `Property with key ${key} not found.`)
  return { status: 200, json: { key, value: properties.get(key) } }
}

function set(call: ProductCall, properties: Map<string, unknown>): Reply {
  const key = call.param('propertyKey')
  if (key.length > MAX_KEY_LENGTH) throw new ApiError(400, `A key has at most ${MAX_KEY_LENGTH} characters.`)
  if (call.call.body.length > MAX_VALUE_BYTES) throw new ApiError(400, `A value has at most ${MAX_VALUE_BYTES} bytes.`)
  const value = jsonOf(call)
  const isNew = !properties.has(key)
  if (isNew && properties.size >= MAX_KEYS) throw new ApiError(400, `There are at most ${MAX_KEYS} properties.`)
  properties.set(key, value)
  const message = isNew ? 'Property created.' : 'Property updated.'
  return { status: isNew ? 201 : 200, json: { key, 'status-code': isNew ? 201 : 200, message } }
}

function remove(key: string, properties: Map<string, unknown>): Reply {
  found(properties.has(key) ? key : undefined, 'property')
  properties.delete(key)
  return { status: 204 }
}
