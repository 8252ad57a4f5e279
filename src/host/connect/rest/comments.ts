/** Comments of Jira's issues. */

import type { Reply } from '../../server/reply.ts'
import type { IssueComment } from '../sites/issue.ts'
import type { ConnectState } from '../state.ts'
import { forgeAppOf } from './access.ts'
import { found, readBody } from './body.ts'
import { describeIssue, issueOf } from './issues.ts'
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
    handle: call => ({ status: 200, json: describe(commentIn(call)) }),
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

const describe = ({ id, authorId, body }: IssueComment) => ({
  id,
  body,
  ...(authorId && { author: { accountId: authorId } }),
})

const commentIn = (call: ProductCall): IssueComment =>
  found(issueOf(call).comments.get(call.param('comment')), 'comment')

function anyComment({ site, param }: ProductCall): IssueComment {
  const comments = [...site.issues.values()].flatMap(issue => issue.comments.get(param('comment')) ?? [])
  return found(comments[0], 'comment')
}

function list(call: ProductCall): Reply {
  const comments = [...issueOf(call).comments.values()].map(describe)
  return { status: 200, json: { startAt: 0, maxResults: 5000, total: comments.length, comments } }
}

function create(call: ProductCall, state: ConnectState): Reply {
  const issue = issueOf(call)
  const body = readBody(call, ({ body: text }) => text)
  const id = String(state.random.nextId())
  const comment = { id, authorId: call.user?.accountId, body, properties: new Map() }
  issue.comments.set(id, comment)
  tell(state, call, 'comment_created', comment)
  return { status: 201, json: describe(comment) }
}

function edit(call: ProductCall, state: ConnectState): Reply {
  const comment = commentIn(call)
  comment.body = readBody(call, ({ body }) => body)
  tell(state, call, 'comment_updated', comment)
  return { status: 200, json: describe(comment) }
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
  const payload = { comment: describe(comment), issue: describeIssue(product, issue) }
  state.deliveries.inBackground(
    state.deliveries.send({
      product,
      event,
      place: { issue, ...(user && { user }) },
      payload,
      causedBy: forgeAppOf(call),
    }),
  )
}
