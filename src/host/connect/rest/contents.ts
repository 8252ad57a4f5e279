/** Confluence's content: pages and posts, read and written by apps. */

import { optional, readChoice, readList, readNumber, readObject, readText } from '../../fields.ts'
import { ApiError } from '../../server/api-error.ts'
import type { Reply } from '../../server/reply.ts'
import { ancestorsOf, type Content } from '../sites/content.ts'
import type { Product } from '../sites/product.ts'
import type { ConnectState } from '../state.ts'
import { authorOf, forgeAppOf } from './access.ts'
import { found, readBody } from './body.ts'
import type { ProductCall, ProductRoute } from './product-route.ts'

const PRODUCTS = ['confluence'] as const
const LIST = '/rest/api/content'
const ONE = `${LIST}/:content`

export const contentRoutes: readonly ProductRoute[] = [
  { products: PRODUCTS, method: 'POST', path: LIST, scope: 'WRITE', handle: create },
  {
    products: PRODUCTS,
    method: 'GET',
    path: ONE,
    scope: 'READ',
    handle: call => ({ status: 200, json: describeContent(call.product, contentOf(call)) }),
  },
  { products: PRODUCTS, method: 'PUT', path: ONE, scope: 'WRITE', handle: edit },
  { products: PRODUCTS, method: 'DELETE', path: ONE, scope: 'DELETE', handle: trash },
  { products: PRODUCTS, method: 'GET', path: '/rest/api/space/:space', scope: 'READ', handle: describeSpace },
]

export const webuiOf = ({ id, type, space }: Content): string =>
  `/spaces/${space.key}/${type === 'page' ? 'pages' : 'blog'}/${id}`

/** With everything that `expand` could ask for: what is not asked for does no harm. */
export function describeContent(product: Product, content: Content) {
  const ancestors = ancestorsOf(content).map(one => ({ id: one.id, type: one.type, title: one.title }))
  const { labels, createdAt } = content
  const { baseUrl } = product
  return {
    ...describePart(product, content),
    ancestors,
    history: {
      latest: true,
      createdBy: personIn(product, content.authorId),
      createdDate: new Date(createdAt).toISOString(),
    },
    metadata: { labels: { results: [...labels].map(describeLabel), size: labels.size } },
    _links: {
      self: `${baseUrl}${LIST}/${content.id}`,
      base: baseUrl,
      webui: webuiOf(content),
      tinyui: `/x/${content.id}`,
    },
  }
}

const describePart = (product: Product, { id, type, title, version, body, space, updatedAt, authorId }: Content) => ({
  id,
  type,
  title,
  status: 'current',
  space: { id: space.id, key: space.key, name: space.name, type: 'global' },
  version: { number: version, when: new Date(updatedAt).toISOString(), by: personIn(product, authorId) },
  body: Object.fromEntries(['storage', 'view'].map(format => [format, { value: body, representation: format }])),
})

export const describeLabel = (name: string) => ({ prefix: 'global', name, id: name, label: name })

const personIn = ({ site }: Product, accountId: string | undefined) => ({
  type: 'known',
  accountId: accountId ?? null,
  accountType: accountId?.startsWith('app:') === true ? 'app' : 'atlassian',
  displayName: site.users.get(accountId ?? '')?.displayName ?? accountId ?? 'Anonymous',
})

/** Acting as a user, an app sees what the user may. */
export function contentOf({ site, user, param }: ProductCall): Content {
  if (user?.may('read') === false) throw new ApiError(404, 'No content found.')
  return found(site.contents.get(param('content')), 'content')
}

function describeSpace({ site, param }: ProductCall): Reply {
  const { id, key, name } = found(site.spaces.get(param('space')), 'space')
  return { status: 200, json: { id, key, name, type: 'global' } }
}

const bodyText = (value: unknown): string | undefined =>
  optional(value, body => String(readObject(readObject(body, 'body').storage, 'body.storage').value))

function create(call: ProductCall, state: ConnectState): Reply {
  const { site, product } = call
  const asked = readBody(call, document => ({
    title: readText(document.title, 'title', 255),
    type: readChoice(document.type, 'type', ['page', 'blogpost']),
    spaceKey: readText(readObject(document.space, 'space').key, 'space.key'),
    body: bodyText(document.body) ?? '',
    parentId: optional(document.ancestors, list => readList(list, 'ancestors', readObject).at(-1)?.id),
  }))
  const parent = asked.parentId === undefined ? undefined : found(site.contents.get(String(asked.parentId)), 'ancestor')
  const space = found(site.spaces.get(asked.spaceKey), 'space')
  const content = site.createContent(space, { ...asked, parent, authorId: authorOf(call) })
  tell(state, call, 'created', content)
  return { status: 200, json: describeContent(product, content) }
}

/** The new version must be the next one: else somebody else was faster. */
function edit(call: ProductCall, state: ConnectState): Reply {
  const content = contentOf(call)
  if (call.user?.may('update') === false) throw new ApiError(403, 'The user may not edit this content.')
  const asked = readBody(call, document => ({
    title: optional(document.title, title => readText(title, 'title', 255)),
    body: bodyText(document.body),
    version: readNumber(readObject(document.version, 'version').number, 'version.number', 1),
  }))
  if (asked.version !== content.version + 1) throw new ApiError(409, `The current version is ${content.version}.`)
  Object.assign(content, {
    title: asked.title ?? content.title,
    body: asked.body ?? content.body,
    version: asked.version,
    updatedAt: state.clock.now(),
  })
  tell(state, call, 'updated', content)
  return { status: 200, json: describeContent(call.product, content) }
}

function trash(call: ProductCall, state: ConnectState): Reply {
  const content = contentOf(call)
  call.site.contents.delete(content.id)
  tell(state, call, 'trashed', content)
  return { status: 204 }
}

export function tell(state: ConnectState, call: ProductCall, what: string, content: Content): void {
  const { product, user } = call
  const prefix = content.type === 'page' ? 'page' : 'blog'
  const payload = { [content.type]: { id: content.id, title: content.title, version: content.version } }
  const place = { content, ...(user && { user }) }
  state.deliveries.inBackground(
    state.deliveries.send({
      product,
      event: `${prefix}_${what}`,
      place,
      payload: { ...payload, userAccountId: user?.accountId },
      causedBy: forgeAppOf(call),
    }),
  )
}
