/** Jira's issues and projects, as far as apps need them. */

import { optional, readList, readObject, readText } from '../../fields.ts'
import { ApiError } from '../../server/api-error.ts'
import type { Reply } from '../../server/reply.ts'
import { ISSUE_TYPES, pick } from '../sites/catalogue.ts'
import { changeIssue } from '../sites/change-issue.ts'
import type { Issue, Project } from '../sites/issue.ts'
import type { ConnectState } from '../state.ts'
import { authorOf, forgeAppOf } from './access.ts'
import { found, readBody } from './body.ts'
import { describeIssue, describeWholeProject, viewOf } from './issue-json.ts'
import type { ProductCall, ProductRoute } from './product-route.ts'
import { propertyRoutes } from './properties.ts'

const PRODUCTS = ['jira'] as const
const ISSUE = '/rest/api/:version/issue/:issue'
const PROJECT = '/rest/api/:version/project/:project'

export const issueRoutes: readonly ProductRoute[] = [
  { products: PRODUCTS, method: 'POST', path: '/rest/api/:version/issue', scope: 'WRITE', handle: create },
  { products: PRODUCTS, method: 'POST', path: '/rest/api/:version/issue/bulk', scope: 'WRITE', handle: createMany },
  {
    products: PRODUCTS,
    method: 'GET',
    path: ISSUE,
    scope: 'READ',
    handle: call => ({ status: 200, json: describeIssue(call.product, issueOf(call), viewOf(call)) }),
  },
  { products: PRODUCTS, method: 'PUT', path: ISSUE, scope: 'WRITE', handle: edit },
  { products: PRODUCTS, method: 'DELETE', path: ISSUE, scope: 'DELETE', handle: remove },
  {
    products: PRODUCTS,
    method: 'GET',
    path: PROJECT,
    scope: 'READ',
    handle: call => ({ status: 200, json: describeWholeProject(call.product, projectOf(call)) }),
  },
  ...propertyRoutes({
    products: PRODUCTS,
    path: ISSUE,
    read: 'READ',
    write: 'WRITE',
    of: call => issueOf(call).properties,
  }),
  ...propertyRoutes({
    products: PRODUCTS,
    path: PROJECT,
    read: 'READ',
    write: 'PROJECT_ADMIN',
    of: call => projectOf(call).properties,
  }),
]

/** Acting as a user, an app sees and does what the user may. */
export function issueOf(call: ProductCall): Issue {
  if (call.user?.may('BROWSE_PROJECTS') === false) throw new ApiError(404, 'Issue does not exist.')
  return found(call.site.findIssue(call.param('issue')), 'issue')
}

export function projectOf({ site, param }: ProductCall): Project {
  const wanted = param('project')
  return found(
    [...site.projects.values()].find(({ id, key }) => id === wanted || key === wanted),
    'project',
  )
}

function create(call: ProductCall, state: ConnectState): Reply {
  return {
    status: 201,
    json: createOne(
      call,
      state,
      readBody(call, body => readObject(body.fields, 'fields')),
    ),
  }
}

function createMany(call: ProductCall, state: ConnectState): Reply {
  const all = readBody(call, body => readList(body.issueUpdates, 'issueUpdates', readObject))
  const issues = all.map(({ fields }) =>
    createOne(
      call,
      state,
      readBody(call, () => readObject(fields, 'fields')),
    ),
  )
  return { status: 201, json: { issues, errors: [] } }
}

function createOne(call: ProductCall, state: ConnectState, fields: Readonly<Record<string, unknown>>) {
  const { site, product } = call
  const { project: place, summary, issuetype, ...further } = fields
  const wanted = readBody(call, () => readObject(place, 'fields.project'))
  const project = [...site.projects.values()].find(({ id, key }) => id === String(wanted.id) || key === wanted.key)
  if (project === undefined) throw new ApiError(400, 'fields.project is no project of this site.')
  const type = pick(ISSUE_TYPES, issuetype)
  const issue = site.createIssue(project, {
    summary: readBody(call, () => readText(summary, 'fields.summary')),
    fields: further,
    creatorId: authorOf(call),
    ...(type && { issueType: { id: type.id, name: type.name } }),
  })
  tell(state, call, 'jira:issue_created', issue)
  return { id: issue.id, key: issue.key, self: `${product.baseUrl}/rest/api/3/issue/${issue.id}` }
}

/** `fields` says what is, `update` what to do to it: `{ labels: [{ add: 'x' }] }`. */
function edit(call: ProductCall, state: ConnectState): Reply {
  const issue = issueOf(call)
  if (call.user?.may('EDIT_ISSUES') === false) throw new ApiError(403, 'The user may not edit this issue.')
  const { fields, update } = readBody(call, body => ({
    fields: optional(body.fields, value => readObject(value, 'fields')),
    update: optional(body.update, value => readObject(value, 'update')),
  }))
  change(state, call, issue, { ...updated(call, issue, update ?? {}), ...fields })
  return { status: 204 }
}

function updated(call: ProductCall, issue: Issue, update: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const fields: Record<string, unknown> = {}
  for (const [name, given] of Object.entries(update)) {
    for (const step of readBody(call, () => readList(given, `update.${name}`, readObject))) {
      const now = name in fields ? fields[name] : issue.fields[name]
      const list = Array.isArray(now) ? now : []
      const isSame = (one: unknown, other: unknown) => JSON.stringify(one) === JSON.stringify(other)
      if ('set' in step) fields[name] = step.set
      if ('add' in step) fields[name] = [...list.filter(one => !isSame(one, step.add)), step.add]
      if ('remove' in step) fields[name] = list.filter(one => !isSame(one, step.remove))
    }
  }
  return fields
}

/** Writes the change into the history and tells of it, with what has changed. */
export function change(
  state: ConnectState,
  call: ProductCall,
  issue: Issue,
  fields: Readonly<Record<string, unknown>>,
): void {
  const id = String(state.random.nextId())
  const made = changeIssue(issue, fields, { id, at: state.clock.now(), authorId: authorOf(call) })
  tell(state, call, 'jira:issue_updated', issue, made && { changelog: { id, items: made.items } })
}

function remove(call: ProductCall, state: ConnectState): Reply {
  const issue = issueOf(call)
  call.site.issues.delete(issue.id)
  tell(state, call, 'jira:issue_deleted', issue)
  return { status: 204 }
}

export function tell(state: ConnectState, call: ProductCall, event: string, issue: Issue, more: object = {}): void {
  const { product, user } = call
  const payloadOf = (version: string) => ({ issue: describeIssue(product, issue, { version }), ...more })
  const place = { issue, ...(user && { user }) }
  state.deliveries.inBackground(
    state.deliveries.send({
      product,
      event,
      place,
      payload: payloadOf('2'),
      forgePayload: payloadOf('3'),
      causedBy: forgeAppOf(call),
    }),
  )
}
