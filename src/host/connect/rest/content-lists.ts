/** Lists of Confluence's older API: contents, spaces, labels, comments. */

import { readList, readObject, readText } from '../../fields.ts'
import { ApiError } from '../../server/api-error.ts'
import { noContent, type Reply } from '../../server/reply.ts'
import { jsonOf, orBadRequest } from './body.ts'
import { contentOf, describeContent, describeLabel } from './contents.ts'
import type { ProductCall, ProductRoute } from './product-route.ts'

const PRODUCTS = ['confluence'] as const

export const contentListRoutes: readonly ProductRoute[] = [
  { products: PRODUCTS, method: 'GET', path: '/rest/api/content', scope: 'READ', handle: listContents },
  { products: PRODUCTS, method: 'GET', path: '/rest/api/space', scope: 'READ', handle: listSpaces },
  { products: PRODUCTS, method: 'GET', path: '/rest/api/content/:content/label', scope: 'READ', handle: listLabels },
  { products: PRODUCTS, method: 'POST', path: '/rest/api/content/:content/label', scope: 'WRITE', handle: addLabels },
  {
    products: PRODUCTS,
    method: 'DELETE',
    path: '/rest/api/content/:content/label',
    scope: 'WRITE',
    handle: removeLabel,
  },
  {
    products: PRODUCTS,
    method: 'DELETE',
    path: '/rest/api/content/:content/label/:label',
    scope: 'WRITE',
    handle: removeLabel,
  },
  {
    products: PRODUCTS,
    method: 'GET',
    path: '/rest/api/content/:content/child/page',
    scope: 'READ',
    handle: listChildren,
  },
  {
    products: PRODUCTS,
    method: 'GET',
    path: '/rest/api/content/:content/child/comment',
    scope: 'READ',
    handle: listComments,
  },
]

function page<T>({ call: { query } }: ProductCall, all: readonly T[]): Reply {
  const start = Math.max(0, Number(query.get('start')) || 0)
  const limit = Math.min(200, Number(query.get('limit')) || 25)
  const results = all.slice(start, start + limit)
  return { status: 200, json: { results, start, limit, size: results.length } }
}

function listContents(call: ProductCall): Reply {
  const { query } = call.call
  const matches = (name: string, value: string) => !query.has(name) || query.get(name) === value
  const contents = [...call.site.contents.values()].filter(
    ({ type, title, space }) =>
      (query.get('type') ?? 'page') === type && matches('title', title) && matches('spaceKey', space.key),
  )
  return page(
    call,
    contents.map(content => describeContent(call.product, content)),
  )
}

function listSpaces(call: ProductCall): Reply {
  const keys = call.call.query.getAll('spaceKey')
  const spaces = [...call.site.spaces.values()].filter(({ key }) => keys.length === 0 || keys.includes(key))
  return page(
    call,
    spaces.map(({ id, key, name }) => ({ id, key, name, type: 'global' })),
  )
}

const labelsOf = (call: ProductCall): Reply => page(call, [...contentOf(call).labels].map(describeLabel))

function listLabels(call: ProductCall): Reply {
  return labelsOf(call)
}

function addLabels(call: ProductCall): Reply {
  const { labels } = contentOf(call)
  const given = jsonOf(call)
  const names = orBadRequest(() =>
    readList(Array.isArray(given) ? given : [given], 'labels', (label, at) =>
      readText(readObject(label, at).name, `${at}.name`, 255),
    ),
  )
  for (const name of names) labels.add(name)
  return labelsOf(call)
}

/** The label is a segment of the path, or `name` of the query. */
function removeLabel(call: ProductCall): Reply {
  const name = call.param('label') || (call.call.query.get('name') ?? '')
  if (!contentOf(call).labels.delete(name)) throw new ApiError(404, `There is no label ${name}.`)
  return noContent
}

function listChildren(call: ProductCall): Reply {
  const parent = contentOf(call)
  const children = [...call.site.contents.values()].filter(one => one.parent === parent)
  return page(
    call,
    children.map(content => describeContent(call.product, content)),
  )
}

function listComments(call: ProductCall): Reply {
  const comments = [...contentOf(call).comments.values()].map(({ id, body }) => ({
    id,
    type: 'comment',
    body: { storage: { value: body, representation: 'storage' } },
  }))
  return page(call, comments)
}
