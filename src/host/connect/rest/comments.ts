/** Comments of Jira's issues. */

import type { Reply } from '../../server/reply.ts'
import type { IssueComment } from '../sites/issue.ts'
import type { ConnectState } from '../state.ts'
import { authorOf, forgeAppOf } from './access.ts'
import { found, readBody } from './body.ts'
import { describeComment, describeIssue } from './issue-json.ts'
import { issueOf } from './issues.ts'
import type { ProductCall, ProductRoute } from './product-route.ts'
import { propertyRoutes } from './properties.ts'

const PRODUCTS = ['jira'] as const
const LIST = '/rest/api/:version/issue/:issue/comment'

export const commentRoutes: readonly ProductRoute[] = [
  { products: PRODUCTS, method: 'GET', path: LIST, scope: 'READ', handle: list },
  { products: PRODUCTS, method: 'POST', path: LIST, scope: 'WRITE', handle: create },
  {
    products: PRODUCTS,
    method: 'GET',
    path: `${LIST}/:comment`,
    scope: 'READ',
    handle: call => ({ status: 200, json: describe(call, commentIn(call)) }),
  },
  { products: PRODUCTS, method: 'PUT', path: `${LIST}/:comment`, scope: 'WRITE', handle: edit },
  { products: PRODUCTS, method: 'DELETE', path: `${LIST}/:comment`, scope: 'DELETE', handle: remove },
  ...propertyRoutes({
    products: PRODUCTS,
    path: '/rest/api/:version/comment/:comment',
    read: 'READ',
    write: 'WRITE',
    of: call => anyComment(call).properties,
  }),
]

const describe = (call: ProductCall, comment: IssueComment) =>
  describeComment(call.product, comment, call.param('version'))

const commentIn = (call: ProductCall): IssueComment =>
  found(issueOf(call).comments.get(call.param('comment')), 'comment')

function anyComment({ site, param }: ProductCall): IssueComment {
  const comments = [...site.issues.values()].flatMap(issue => issue.comments.get(param('comment')) ?? [])
  return found(comments[0], 'comment')
}

function list(call: ProductCall): Reply {
  const comments = [...issueOf(call).comments.values()].map(comment => describe(call, comment))
  return { status: 200, json: { startAt: 0, maxResults: 5000, total: comments.length, comments } }
}

function create(call: ProductCall, state: ConnectState): Reply {
  const issue = issueOf(call)
  const body = readBody(call, ({ body: text }) => text)
  const id = String(state.random.nextId())
  const now = state.clock.now()
  const comment = { id, authorId: authorOf(call), body, properties: new Map(), createdAt: now, updatedAt: now }
  issue.comments.set(id, comment)
  tell(state, call, 'comment_created', comment)
  return { status: 201, json: describe(call, comment) }
}

function edit(call: ProductCall, state: ConnectState): Reply {
  const comment = commentIn(call)
  Object.assign(comment, { body: readBody(call, ({ body }) => body), updatedAt: state.clock.now() })
  tell(state, call, 'comment_updated', comment)
  return { status: 200, json: describe(call, comment) }
}

function remove(call: ProductCall, state: ConnectState): Reply {
  const comment = commentIn(call)
  issueOf(call).comments.delete(comment.id)
  tell(state, call, 'comment_deleted', comment)
  return { status: 204 }
}

function tell(state: ConnectState, call: ProductCall, event: string, comment: IssueComment): void {
  const issue = issueOf(call)
  const { product, user } = call
  const payloadOf = (version: string) => ({
    comment: describeComment(product, comment, version),
    issue: describeIssue(product, issue, { version }),
  })
  state.deliveries.inBackground(
    state.deliveries.send({
      product,
      event,
      place: { issue, ...(user && { user }) },
      payload: payloadOf('2'),
      forgePayload: payloadOf('3'),
      causedBy: forgeAppOf(call),
    }),
  )
}
