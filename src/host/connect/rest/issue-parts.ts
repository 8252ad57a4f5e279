/** What hangs on Jira's issues beside fields and comments: transitions, assignee, watchers, work logs. */

import { optional, readNumber, readObject, readText } from '../../fields.ts'
import { ApiError } from '../../server/api-error.ts'
import { noContent, type Reply } from '../../server/reply.ts'
import { STATUSES } from '../sites/catalogue.ts'
import type { Worklog } from '../sites/issue.ts'
import type { Product } from '../sites/product.ts'
import type { ConnectState } from '../state.ts'
import { authorOf } from './access.ts'
import { found, jsonOf, readBody } from './body.ts'
import { describePerson } from './issue-json.ts'
import { change, issueOf } from './issues.ts'
import type { ProductCall, ProductRoute } from './product-route.ts'

const PRODUCTS = ['jira'] as const
const ISSUE = '/rest/api/:version/issue/:issue'

export const issuePartRoutes: readonly ProductRoute[] = [
  { products: PRODUCTS, method: 'GET', path: `${ISSUE}/transitions`, scope: 'READ', handle: listTransitions },
  { products: PRODUCTS, method: 'POST', path: `${ISSUE}/transitions`, scope: 'WRITE', handle: transition },
  { products: PRODUCTS, method: 'PUT', path: `${ISSUE}/assignee`, scope: 'WRITE', handle: assign },
  { products: PRODUCTS, method: 'GET', path: `${ISSUE}/watchers`, scope: 'READ', handle: listWatchers },
  { products: PRODUCTS, method: 'POST', path: `${ISSUE}/watchers`, scope: 'WRITE', handle: watch },
  { products: PRODUCTS, method: 'DELETE', path: `${ISSUE}/watchers`, scope: 'WRITE', handle: unwatch },
  { products: PRODUCTS, method: 'GET', path: `${ISSUE}/worklog`, scope: 'READ', handle: listWorklogs },
  { products: PRODUCTS, method: 'POST', path: `${ISSUE}/worklog`, scope: 'WRITE', handle: logWork },
]

/** Every status can follow every other. */
const TRANSITIONS = STATUSES.map((to, index) => ({
  id: String((index + 1) * 10 + 1),
  name: to.name,
  to,
  isAvailable: true,
}))

function listTransitions(call: ProductCall): Reply {
  issueOf(call)
  return { status: 200, json: { expand: 'transitions', transitions: TRANSITIONS } }
}

function transition(call: ProductCall, state: ConnectState): Reply {
  const issue = issueOf(call)
  const { id, fields } = readBody(call, body => ({
    id: String(readObject(body.transition, 'transition').id),
    fields: optional(body.fields, value => readObject(value, 'fields')) ?? {},
  }))
  const chosen = TRANSITIONS.find(one => one.id === id)
  if (chosen === undefined) throw new ApiError(400, `It seems that there is no transition ${id}.`)
  change(state, call, issue, { ...fields, status: chosen.to })
  return noContent
}

function assign(call: ProductCall, state: ConnectState): Reply {
  const issue = issueOf(call)
  const accountId = readBody(call, body => (body.accountId === null ? null : readText(body.accountId, 'accountId')))
  change(state, call, issue, { assignee: accountId === null ? null : { accountId: personOf(call, accountId) } })
  return noContent
}

/** @throws ApiError 404 */
const personOf = ({ site }: ProductCall, accountId: string): string =>
  found(site.users.get(accountId), 'user').accountId

function listWatchers(call: ProductCall): Reply {
  const { watchers, id } = issueOf(call)
  const isWatching = call.user !== undefined && watchers.has(call.user.accountId)
  const list = [...watchers].map(accountId => describePerson(call.product, accountId))
  const self = `${call.product.baseUrl}/rest/api/3/issue/${id}/watchers`
  return { status: 200, json: { self, isWatching, watchCount: list.length, watchers: list } }
}

/** The body is an account id as JSON text; none: whoever calls. */
function watch(call: ProductCall): Reply {
  const { watchers } = issueOf(call)
  const wanted = call.call.body.length === 0 ? call.user?.accountId : jsonOf(call)
  if (typeof wanted !== 'string') throw new ApiError(400, 'The account is not one.')
  watchers.add(personOf(call, wanted))
  return noContent
}

function unwatch(call: ProductCall): Reply {
  issueOf(call).watchers.delete(call.call.query.get('accountId') ?? call.user?.accountId ?? '')
  return noContent
}

const describeWorklog = (product: Product, { id, authorId, timeSpentSeconds, comment }: Worklog) => ({
  id,
  timeSpentSeconds,
  timeSpent: `${Math.round(timeSpentSeconds / 60)}m`,
  comment,
  author: describePerson(product, authorId),
})

function listWorklogs(call: ProductCall): Reply {
  const worklogs = [...issueOf(call).worklogs.values()].map(one => describeWorklog(call.product, one))
  return { status: 200, json: { startAt: 0, maxResults: 5000, total: worklogs.length, worklogs } }
}

function logWork(call: ProductCall, state: ConnectState): Reply {
  const issue = issueOf(call)
  const { timeSpentSeconds, comment } = readBody(call, body => ({
    timeSpentSeconds: readNumber(body.timeSpentSeconds, 'timeSpentSeconds', 60),
    comment: body.comment,
  }))
  const worklog = { id: String(state.random.nextId()), authorId: authorOf(call), timeSpentSeconds, comment }
  issue.worklogs.set(worklog.id, worklog)
  return { status: 201, json: describeWorklog(call.product, worklog) }
}
