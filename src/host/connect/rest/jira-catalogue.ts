/** What a Jira has without anybody making it: fields, types, statuses, priorities, its own description. And lists of projects and people. */

import type { Reply } from '../../server/reply.ts'
import { ISSUE_TYPES, LINK_TYPES, PRIORITIES, RESOLUTIONS, STATUSES } from '../sites/catalogue.ts'
import type { ConnectUser } from '../sites/user.ts'
import { describeProject } from './issue-json.ts'
import { projectOf } from './issues.ts'
import type { ProductCall, ProductRoute } from './product-route.ts'
import { describeUserOf } from './users.ts'

const PRODUCTS = ['jira'] as const
const API = '/rest/api/:version'

const FIELDS = [
  ['summary', 'Summary', 'string'],
  ['description', 'Description', 'string'],
  ['status', 'Status', 'status'],
  ['issuetype', 'Issue Type', 'issuetype'],
  ['priority', 'Priority', 'priority'],
  ['assignee', 'Assignee', 'user'],
  ['reporter', 'Reporter', 'user'],
  ['project', 'Project', 'project'],
  ['labels', 'Labels', 'array'],
  ['created', 'Created', 'datetime'],
  ['updated', 'Updated', 'datetime'],
  ['duedate', 'Due date', 'date'],
].map(([id = '', name, type = '']) => ({
  id,
  key: id,
  name,
  custom: false,
  navigable: true,
  searchable: true,
  clauseNames: [id],
  schema: { type, system: id },
}))

const reads = (path: string, handle: ProductRoute['handle']): ProductRoute => ({
  products: PRODUCTS,
  method: 'GET',
  path: `${API}${path}`,
  scope: 'READ',
  handle,
})
const gives = (json: unknown) => (): Reply => ({ status: 200, json })

export const jiraCatalogueRoutes: readonly ProductRoute[] = [
  reads('/field', gives(FIELDS)),
  reads('/issuetype', gives(ISSUE_TYPES)),
  reads('/priority', gives(PRIORITIES)),
  reads('/status', gives(STATUSES)),
  reads('/project/:project/statuses', gives(ISSUE_TYPES.map(type => ({ ...type, statuses: STATUSES })))),
  reads('/resolution', gives(RESOLUTIONS)),
  reads('/issueLinkType', gives({ issueLinkTypes: LINK_TYPES })),
  reads('/label', listLabels),
  reads('/project/:project/components', nothingOfProject),
  reads('/project/:project/versions', nothingOfProject),
  reads('/issue/createmeta/:project/issuetypes', listIssueTypes),
  reads('/serverInfo', describeServer),
  reads('/project', listProjects),
  reads('/user/search', searchUsers),
  reads('/users/search', searchUsers),
  reads('/users', searchUsers),
  reads('/user/assignable/search', searchUsers),
  reads('/user/bulk', listUsers),
  reads('/mypermissions', describeOwnPermissions),
]

/** No project has any here. */
function nothingOfProject(call: ProductCall): Reply {
  projectOf(call)
  return { status: 200, json: [] }
}

function listIssueTypes(call: ProductCall): Reply {
  projectOf(call)
  return { status: 200, json: { startAt: 0, maxResults: 50, total: ISSUE_TYPES.length, issueTypes: ISSUE_TYPES } }
}

function listLabels({ site }: ProductCall): Reply {
  const values = [
    ...new Set([...site.issues.values()].flatMap(({ fields }) => (Array.isArray(fields.labels) ? fields.labels : []))),
  ].sort()
  return { status: 200, json: { startAt: 0, maxResults: 1000, total: values.length, isLast: true, values } }
}

function describeServer({ product, site }: ProductCall): Reply {
  const json = {
    baseUrl: product.baseUrl,
    version: '1001.0.0-SNAPSHOT',
    deploymentType: 'Cloud',
    serverTitle: site.name,
  }
  return { status: 200, json }
}

function listProjects({ site, product }: ProductCall): Reply {
  return { status: 200, json: [...site.projects.values()].map(project => describeProject(product, project)) }
}

function searchUsers(call: ProductCall): Reply {
  const { query } = call.call
  const text = (query.get('query') ?? query.get('username') ?? '').toLowerCase()
  const accountId = query.get('accountId')
  const isFound = (user: ConnectUser) =>
    accountId === null ? user.displayName.toLowerCase().includes(text) : user.accountId === accountId
  const start = Number(query.get('startAt')) || 0
  const size = Number(query.get('maxResults')) || 50
  const users = [...call.site.users.values()].filter(isFound).slice(start, start + size)
  return { status: 200, json: users.map(user => describeUserOf(call, user)) }
}

function listUsers(call: ProductCall): Reply {
  const ids = call.call.query.getAll('accountId')
  const values = ids.flatMap(id => call.site.users.get(id) ?? []).map(user => describeUserOf(call, user))
  return { status: 200, json: { startAt: 0, maxResults: 50, total: values.length, isLast: true, values } }
}

/** As the app itself: everything. */
function describeOwnPermissions({ user, call }: ProductCall): Reply {
  const asked = (call.query.get('permissions') ?? 'BROWSE_PROJECTS,EDIT_ISSUES,ADMINISTER').split(',')
  const permissions = Object.fromEntries(
    asked.map(key => [key, { id: key, key, name: key, havePermission: user?.may(key) ?? true }]),
  )
  return { status: 200, json: { permissions } }
}
