/** Properties of Confluence's content: JSON by key, with a version that must grow by one. */

import { optional, readNumber, readObject, readText } from '../../fields.ts'
import { ApiError } from '../../server/api-error.ts'
import type { Reply } from '../../server/reply.ts'
import type { ContentProperty } from '../sites/content.ts'
import { found, readBody } from './body.ts'
import { contentOf } from './contents.ts'
import type { ProductCall, ProductRoute } from './product-route.ts'

const PRODUCTS = ['confluence'] as const
const LIST = '/rest/api/content/:content/property'
const ONE = `${LIST}/:propertyKey`

export const contentPropertyRoutes: readonly ProductRoute[] = [
  { products: PRODUCTS, method: 'GET', path: LIST, scope: 'READ', handle: list },
  { products: PRODUCTS, method: 'POST', path: LIST, scope: 'WRITE', handle: create },
  { products: PRODUCTS, method: 'GET', path: ONE, scope: 'READ', handle: describeOne },
  { products: PRODUCTS, method: 'PUT', path: ONE, scope: 'WRITE', handle: set },
  { products: PRODUCTS, method: 'DELETE', path: ONE, scope: 'WRITE', handle: remove },
]

const describe = (key: string, { value, version }: ContentProperty) => ({ key, value, version: { number: version } })
const propertyOf = (call: ProductCall): ContentProperty =>
  found(contentOf(call).properties.get(call.param('propertyKey')), 'property')

function list(call: ProductCall): Reply {
  const results = [...contentOf(call).properties].map(([key, property]) => describe(key, property))
  return { status: 200, json: { results, start: 0, limit: results.length, size: results.length } }
}

function describeOne(call: ProductCall): Reply {
  return { status: 200, json: describe(call.param('propertyKey'), propertyOf(call)) }
}

function create(call: ProductCall): Reply {
  const { properties } = contentOf(call)
  const { key, value } = readBody(call, body => ({ key: readText(body.key, 'key', 255), value: body.value }))
  if (properties.has(key)) throw new ApiError(409, `There is a property ${key} already.`)
  const property = { value, version: 1 }
  properties.set(key, property)
  return { status: 200, json: describe(key, property) }
}

function set(call: ProductCall): Reply {
  const { properties } = contentOf(call)
  const key = call.param('propertyKey')
  const { value, version } = readBody(call, body => ({
    value: body.value,
    version: optional(body.version, one => readNumber(readObject(one, 'version').number, 'version.number', 1)) ?? 1,
  }))
  const next = (properties.get(key)?.version ?? 0) + 1
  if (version !== next) throw new ApiError(409, `The next version is ${next}.`)
  properties.set(key, { value, version })
  return { status: 200, json: describe(key, { value, version }) }
}

function remove(call: ProductCall): Reply {
  propertyOf(call)
  contentOf(call).properties.delete(call.param('propertyKey'))
  return { status: 204 }
}
