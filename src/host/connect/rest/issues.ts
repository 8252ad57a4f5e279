/** Jira's issues and projects, as far as apps need them. */

import { optional, readObject, readText } from '../../fields.ts'
import { ApiError } from '../../server/api-error.ts'
import type { Reply } from '../../server/reply.ts'
import type { Issue, Project } from '../sites/issue.ts'
import type { Product } from '../sites/product.ts'
import type { ConnectState } from '../state.ts'
import { forgeAppOf } from './access.ts'
import { found, readBody } from './body.ts'
import type { ProductCall, ProductRoute } from './product-route.ts'
import { propertyRoutes } from './properties.ts'

const PRODUCTS = ['jira'] as const
const ISSUE = '/rest/api/:version/issue/:issue'
const PROJECT = '/rest/api/:version/project/:project'

export const issueRoutes: readonly ProductRoute[] = [
  { products: PRODUCTS, method: 'POST', path: '/rest/api/:version/issue', scope: 'WRITE', handle: create },
  {
    products: PRODUCTS,
    method: 'GET',
    path: ISSUE,
    scope: 'READ',
    handle: call => ({ status: 200, json: describeIssue(call.product, issueOf(call)) }),
  },
  { products: PRODUCTS, method: 'PUT', path: ISSUE, scope: 'WRITE', handle: edit },
  { products: PRODUCTS, method: 'DELETE', path: ISSUE, scope: 'DELETE', handle: remove },
  {
    products: PRODUCTS,
    method: 'GET',
    path: PROJECT,
    scope: 'READ',
    handle: call => ({ status: 200, json: describeProject(call.product, projectOf(call)) }),
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

export function describeIssue(product: Product, { id, key, project, issueType, fields }: Issue) {
  return {
    id,
    key,
    self: `${product.baseUrl}/rest/api/3/issue/${id}`,
    fields: { ...fields, issuetype: issueType, project: describeProject(product, project) },
  }
}

const describeProject = (product: Product, { id, key, name }: Project) => ({
  id,
  key,
  name,
  self: `${product.baseUrl}/rest/api/3/project/${id}`,
})

/** Acting as a user, an app sees and does what the user may. */
export function issueOf(call: ProductCall): Issue {
  if (call.user?.may('BROWSE_PROJECTS') === false) throw new ApiError(404, 'Issue does not exist.')
  return found(call.site.findIssue(call.param('issue')), 'issue')
}

function projectOf({ site, param }: ProductCall): Project {
  const wanted = param('project')
  return found(
    [...site.projects.values()].find(({ id, key }) => id === wanted || key === wanted),
    'project',
  )
}

async function create(call: ProductCall, state: ConnectState): Promise<Reply> {
  const { site, product } = call
  const fields = readBody(call, body => readObject(body.fields, 'fields'))
  const { project: place, summary, issuetype: _type, ...further } = fields
  const wanted = readBody(call, () => readObject(place, 'fields.project'))
  const project = [...site.projects.values()].find(({ id, key }) => id === wanted.id || key === wanted.key)
  if (project === undefined) throw new ApiError(400, 'fields.project is no project of this site.')
  const issue = site.createIssue(project, {
    summary: readBody(call, () => readText(summary, 'fields.summary')),
    fields: further,
  })
  const issueBody = describeIssue(product, issue)
  tell(state, call, 'jira:issue_created', issue)
  return { status: 201, json: { id: issue.id, key: issue.key, self: issueBody.self } }
}

function edit(call: ProductCall, state: ConnectState): Reply {
  const issue = issueOf(call)
  if (call.user?.may('EDIT_ISSUES') === false) throw new ApiError(403, 'The user may not edit this issue.')
  const fields = readBody(call, body => optional(body.fields, value => readObject(value, 'fields')))
  issue.fields = { ...issue.fields, ...fields }
  tell(state, call, 'jira:issue_updated', issue)
  return { status: 204 }
}

function remove(call: ProductCall, state: ConnectState): Reply {
  const issue = issueOf(call)
  call.site.issues.delete(issue.id)
  tell(state, call, 'jira:issue_deleted', issue)
  return { status: 204 }
}

export function tell(state: ConnectState, call: ProductCall, event: string, issue: Issue): void {
  const { product, user } = call
  const payload = { issue: describeIssue(product, issue) }
  const place = { issue, ...(user && { user }) }
  state.deliveries.inBackground(state.deliveries.send({ product, event, place, payload, causedBy: forgeAppOf(call) }))
}
