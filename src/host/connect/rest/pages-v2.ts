/** Confluence's newer API: pages, posts and spaces by ids, with cursors (documentation of 2026-10). */

import { optional, readNumber, readObject, readText } from '../../fields.ts'
import { ApiError } from '../../server/api-error.ts'
import { noContent, type Reply } from '../../server/reply.ts'
import type { Content, ContentComment, ContentProperty, Space } from '../sites/content.ts'
import type { ConnectState } from '../state.ts'
import { authorOf } from './access.ts'
import { found, readBody } from './body.ts'
import { contentOf, tell, webuiOf } from './contents.ts'
import type { ProductCall, ProductRoute } from './product-route.ts'

const PRODUCTS = ['confluence'] as const
const API = '/api/v2'
const KINDS = [
  ['page', 'pages'],
  ['blogpost', 'blogposts'],
] as const
type Kind = (typeof KINDS)[number][0]

const route = (
  method: string,
  path: string,
  scope: ProductRoute['scope'],
  handle: ProductRoute['handle'],
): ProductRoute => ({ products: PRODUCTS, method, path: `${API}${path}`, scope, handle })

export const pageV2Routes: readonly ProductRoute[] = [
  ...KINDS.flatMap(([kind, list]) => routesOf(kind, list)),
  route('GET', '/spaces', 'READ', listSpaces),
  route('GET', '/spaces/:space', 'READ', call => ({ status: 200, json: describeSpace(spaceOf(call)) })),
  route('GET', '/spaces/:space/pages', 'READ', call => listContents(call, 'page', spaceOf(call))),
  route('POST', '/footer-comments', 'WRITE', addComment),
]

function routesOf(kind: Kind, list: string): ProductRoute[] {
  const one = `/${list}/:content`
  return [
    route('GET', `/${list}`, 'READ', call => listContents(call, kind, undefined)),
    route('POST', `/${list}`, 'WRITE', (call, state) => create(call, kind, state)),
    route('GET', one, 'READ', call => ({ status: 200, json: describe(call, contentOf(call)) })),
    route('PUT', one, 'WRITE', edit),
    route('DELETE', one, 'DELETE', trash),
    route('GET', `${one}/children`, 'READ', listChildren),
    route('GET', `${one}/labels`, 'READ', listLabels),
    route('GET', `${one}/footer-comments`, 'READ', listComments),
    route('GET', `${one}/properties`, 'READ', listProperties),
    route('POST', `${one}/properties`, 'WRITE', createProperty),
    route('GET', `${one}/properties/:property`, 'READ', call => ({
      status: 200,
      json: shownProperty(propertyOf(call)),
    })),
    route('PUT', `${one}/properties/:property`, 'WRITE', setProperty),
    route('DELETE', `${one}/properties/:property`, 'WRITE', removeProperty),
  ]
}

function describe({ product, call }: ProductCall, content: Content) {
  const { id, title, version, body, space, parent, authorId, createdAt, updatedAt } = content
  const format = call.query.get('body-format')
  return {
    id,
    status: 'current',
    title,
    spaceId: space.id,
    parentId: parent?.id ?? null,
    parentType: parent === undefined ? null : 'page',
    authorId: authorId ?? null,
    ownerId: authorId ?? null,
    createdAt: new Date(createdAt).toISOString(),
    version: { number: version, createdAt: new Date(updatedAt).toISOString(), authorId: authorId ?? null, message: '' },
    ...(format === 'storage' || format === 'view'
      ? { body: { [format]: { value: body, representation: format } } }
      : {}),
    _links: { base: product.baseUrl, webui: webuiOf(content), tinyui: `/x/${id}`, editui: `${webuiOf(content)}/edit` },
  }
}

/** A page of a list, with the address of the next one. The cursor is a place in it. */
function pageOf<T, Shown>({ call, product }: ProductCall, all: readonly T[], show: (one: T) => Shown): Reply {
  const start = Math.max(0, Number(call.query.get('cursor')) || 0)
  const size = Math.min(250, Number(call.query.get('limit')) || 25)
  const results = all.slice(start, start + size).map(show)
  const [path = ''] = call.target.split('?')
  const query = new URLSearchParams(call.query)
  query.set('cursor', String(start + size))
  const next = start + size < all.length ? { next: `${path.slice(path.indexOf('/wiki'))}?${query}` } : {}
  return { status: 200, json: { results, _links: { base: product.baseUrl, ...next } } }
}

function listContents(call: ProductCall, kind: Kind, space: Space | undefined): Reply {
  const { query } = call.call
  const title = query.get('title')
  const list = (name: string) => query.getAll(name).flatMap(text => text.split(','))
  const [spaces, ids] = [list('space-id'), list('id')]
  const contents = [...call.site.contents.values()].filter(
    one =>
      one.type === kind &&
      (space === undefined || one.space === space) &&
      (spaces.length === 0 || spaces.includes(one.space.id)) &&
      (ids.length === 0 || ids.includes(one.id)) &&
      (title === null || one.title === title),
  )
  return pageOf(call, sorted(query.get('sort'), contents), content => describe(call, content))
}

/** `title`, `-modified-date` ...: the ways that the API names; another one leaves the order. */
function sorted(by: string | null, contents: readonly Content[]): readonly Content[] {
  const keys: Readonly<Record<string, (one: Content) => string | number>> = {
    id: ({ id }) => Number(id),
    title: ({ title }) => title,
    'created-date': ({ createdAt }) => createdAt,
    'modified-date': ({ updatedAt }) => updatedAt,
  }
  const key = keys[(by ?? '').replace(/^-/, '')]
  if (key === undefined) return contents
  const sign = by?.startsWith('-') === true ? -1 : 1
  return [...contents].sort((a, b) => (key(a) < key(b) ? -sign : key(a) > key(b) ? sign : 0))
}

function listChildren(call: ProductCall): Reply {
  const parent = contentOf(call)
  const children = [...call.site.contents.values()].filter(one => one.parent === parent)
  return pageOf(call, children, ({ id, title, space }) => ({ id, status: 'current', title, spaceId: space.id }))
}

function create(call: ProductCall, type: Kind, state: ConnectState): Reply {
  const asked = readBody(call, body => ({
    spaceId: readText(String(body.spaceId), 'spaceId'),
    title: readText(body.title, 'title', 255),
    body: bodyText(body.body) ?? '',
    parentId: optional(body.parentId ?? undefined, String),
  }))
  const parent = asked.parentId === undefined ? undefined : found(call.site.contents.get(asked.parentId), 'parent')
  const space = [...call.site.spaces.values()].find(({ id }) => id === asked.spaceId)
  const content = call.site.createContent(found(space, 'space'), { ...asked, type, parent, authorId: authorOf(call) })
  tell(state, call, 'created', content)
  return { status: 200, json: describe(call, content) }
}

function edit(call: ProductCall, state: ConnectState): Reply {
  const content = contentOf(call)
  if (call.user?.may('update') === false) throw new ApiError(403, 'The user may not edit this content.')
  const asked = readBody(call, body => ({
    title: readText(body.title, 'title', 255),
    body: bodyText(body.body),
    version: readNumber(readObject(body.version, 'version').number, 'version.number', 1),
  }))
  if (asked.version !== content.version + 1) throw new ApiError(409, `The current version is ${content.version}.`)
  const { title, body = content.body, version } = asked
  Object.assign(content, { title, body, version, updatedAt: state.clock.now() })
  tell(state, call, 'updated', content)
  return { status: 200, json: describe(call, content) }
}

/** `{ representation, value }`, or the same below its representation. */
const bodyText = (value: unknown): string | undefined =>
  optional(value, given => {
    const body = readObject(given, 'body')
    const inner = body.storage === undefined ? body : readObject(body.storage, 'body.storage')
    return String(inner.value ?? '')
  })

function trash(call: ProductCall, state: ConnectState): Reply {
  const content = contentOf(call)
  call.site.contents.delete(content.id)
  tell(state, call, 'trashed', content)
  return noContent
}

const describeSpace = ({ id, key, name }: Space) => ({
  id,
  key,
  name,
  type: 'global',
  status: 'current',
  homepageId: null,
  _links: { webui: `/spaces/${key}` },
})
const spaceOf = ({ site, param }: ProductCall): Space =>
  found(
    [...site.spaces.values()].find(({ id }) => id === param('space')),
    'space',
  )

function listSpaces(call: ProductCall): Reply {
  const keys = call.call.query.getAll('keys').flatMap(one => one.split(','))
  const spaces = [...call.site.spaces.values()].filter(({ key }) => keys.length === 0 || keys.includes(key))
  const byName = call.call.query.get('sort') === 'name'
  const shown = byName ? [...spaces].sort((a, b) => a.name.localeCompare(b.name)) : spaces
  return pageOf(call, shown, describeSpace)
}

function listLabels(call: ProductCall): Reply {
  return pageOf(call, [...contentOf(call).labels], name => ({ id: name, name, prefix: 'global' }))
}

const describeComment = ({ id, body, authorId }: ContentComment) => ({
  id,
  status: 'current',
  version: { number: 1, authorId: authorId ?? null },
  body: { storage: { representation: 'storage', value: body } },
})

function listComments(call: ProductCall): Reply {
  return pageOf(call, [...contentOf(call).comments.values()], describeComment)
}

function addComment(call: ProductCall, state: ConnectState): Reply {
  const asked = readBody(call, body => ({
    contentId: String(body.pageId ?? body.blogPostId),
    body: bodyText(body.body) ?? '',
  }))
  const content = found(call.site.contents.get(asked.contentId), 'content')
  const comment = { id: String(state.random.nextId()), authorId: authorOf(call), body: asked.body }
  content.comments.set(comment.id, comment)
  return { status: 201, json: describeComment(comment) }
}

type NamedProperty = readonly [key: string, property: ContentProperty]

const shownProperty = ([key, { id, value, version }]: NamedProperty) => ({
  id,
  key,
  value,
  version: { number: version },
})

/** By id; one that the older API has made has its key as id. */
function propertyOf(call: ProductCall): NamedProperty {
  const wanted = call.param('property')
  const property = [...contentOf(call).properties].find(([key, { id = key }]) => id === wanted)
  return found(property, 'property')
}

function listProperties(call: ProductCall): Reply {
  const wanted = call.call.query.get('key')
  const properties = [...contentOf(call).properties].filter(([key]) => wanted === null || key === wanted)
  return pageOf(call, properties, ([key, property]) => shownProperty([key, { id: key, ...property }]))
}

function createProperty(call: ProductCall, state: ConnectState): Reply {
  const { properties } = contentOf(call)
  const { key, value } = readBody(call, body => ({ key: readText(body.key, 'key', 255), value: body.value }))
  if (properties.has(key)) throw new ApiError(409, `There is a property ${key} already.`)
  const property = { id: String(state.random.nextId()), value, version: 1 }
  properties.set(key, property)
  return { status: 200, json: shownProperty([key, property]) }
}

function setProperty(call: ProductCall): Reply {
  const [key, before] = propertyOf(call)
  const { value, version } = readBody(call, body => ({
    value: body.value,
    version: readNumber(readObject(body.version, 'version').number, 'version.number', 1),
  }))
  if (version !== before.version + 1) throw new ApiError(409, `The next version is ${before.version + 1}.`)
  const property = { ...before, value, version }
  contentOf(call).properties.set(key, property)
  return { status: 200, json: shownProperty([key, property]) }
}

function removeProperty(call: ProductCall): Reply {
  const [key] = propertyOf(call)
  contentOf(call).properties.delete(key)
  return noContent
}
