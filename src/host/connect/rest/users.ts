/** People and what they may, as apps ask both products. */

import { optional, readList, readObject, readText } from '../../fields.ts'
import { ApiError } from '../../server/api-error.ts'
import type { Reply } from '../../server/reply.ts'
import type { ConnectUser } from '../sites/user.ts'
import { found, readBody } from './body.ts'
import type { ProductCall, ProductRoute } from './product-route.ts'
import { propertyRoutes } from './properties.ts'

const JIRA = ['jira'] as const
const CONFLUENCE = ['confluence'] as const

export const userRoutes: readonly ProductRoute[] = [
  { products: JIRA, method: 'GET', path: '/rest/api/:version/myself', scope: 'READ', handle: describeSelf },
  { products: CONFLUENCE, method: 'GET', path: '/rest/api/user/current', scope: 'READ', handle: describeSelf },
  { products: JIRA, method: 'GET', path: '/rest/api/:version/user', scope: 'READ', handle: describeUser },
  { products: CONFLUENCE, method: 'GET', path: '/rest/api/user', scope: 'READ', handle: describeUser },
  ...propertyRoutes({
    products: JIRA,
    path: '/rest/api/:version/user',
    read: 'READ',
    write: 'WRITE',
    of: call => userOf(call).properties,
  }),
  { products: JIRA, method: 'GET', path: '/rest/api/:version/user/email', scope: 'READ', handle: describeEmail },
  { products: JIRA, method: 'GET', path: '/rest/api/:version/user/groups', scope: 'READ', handle: listGroups },
  { products: CONFLUENCE, method: 'GET', path: '/rest/api/user/memberof', scope: 'READ', handle: listMemberships },
  {
    products: JIRA,
    method: 'POST',
    path: '/rest/api/:version/permissions/check',
    scope: 'READ',
    handle: checkJiraPermissions,
  },
  {
    products: CONFLUENCE,
    method: 'POST',
    path: '/rest/api/content/:content/permission/check',
    scope: 'READ',
    handle: checkContentPermission,
  },
]

export const describeUserOf = ({ scopes }: ProductCall, user: ConnectUser) => ({
  accountId: user.accountId,
  accountType: 'atlassian',
  displayName: user.displayName,
  timeZone: user.timeZone,
  locale: user.locale,
  active: user.accountStatus !== 'closed',
  ...(scopes.includes('ACCESS_EMAIL_ADDRESSES') && { emailAddress: user.email }),
})

/** The user the app acts as; else the app's own account. */
function describeSelf(call: ProductCall): Reply {
  const { user, appKey, appName } = call
  if (user !== undefined) return { status: 200, json: describeUserOf(call, user) }
  return { status: 200, json: { accountId: `app:${appKey}`, accountType: 'app', displayName: appName, active: true } }
}

function describeUser(call: ProductCall): Reply {
  const user = call.site.users.get(call.call.query.get('accountId') ?? '')
  return { status: 200, json: describeUserOf(call, found(user, 'user')) }
}

const userOf = ({ site, call }: ProductCall): ConnectUser =>
  found(site.users.get(call.query.get('accountId') ?? ''), 'user')

/** For apps that may read addresses. */
function describeEmail(call: ProductCall): Reply {
  const { accountId, email } = userOf(call)
  if (!call.scopes.includes('ACCESS_EMAIL_ADDRESSES'))
    throw new ApiError(403, 'The app has not been allowed to read addresses.')
  return { status: 200, json: { accountId, email } }
}

/** Everybody is a user, and some are administrators. */
const groupsOf = (user: ConnectUser): readonly string[] => ['users', ...(user.isAdmin ? ['administrators'] : [])]

function listGroups(call: ProductCall): Reply {
  return { status: 200, json: groupsOf(userOf(call)).map(name => ({ name, groupId: name })) }
}

function listMemberships(call: ProductCall): Reply {
  const results = groupsOf(userOf(call)).map(name => ({ type: 'group', name, id: name }))
  return { status: 200, json: { results, start: 0, limit: 200, size: results.length } }
}

function checkJiraPermissions(call: ProductCall): Reply {
  const texts = (value: unknown, name: string) => readList(value ?? [], name, (text, at) => readText(text, at))
  const asked = readBody(call, body => ({
    accountId: optional(body.accountId, value => readText(value, 'accountId')),
    global: texts(body.globalPermissions, 'globalPermissions'),
    project: readList(body.projectPermissions ?? [], 'projectPermissions', readObject),
  }))
  const user = asked.accountId === undefined ? call.user : call.site.users.get(asked.accountId)
  if (user === undefined) throw new ApiError(400, 'The account does not exist.')
  const projectPermissions = asked.project.flatMap(({ permissions, projects, issues }) =>
    texts(permissions, 'permissions')
      .filter(permission => user.may(permission))
      .map(permission => ({ permission, projects: knownProjects(call, projects), issues: knownIssues(call, issues) })),
  )
  return {
    status: 200,
    json: { globalPermissions: asked.global.filter(permission => user.may(permission)), projectPermissions },
  }
}

const numbers = (value: unknown): readonly number[] =>
  Array.isArray(value) ? value.filter(one => typeof one === 'number') : []
const knownProjects = ({ site }: ProductCall, ids: unknown) =>
  numbers(ids).filter(id => [...site.projects.values()].some(project => project.id === String(id)))
const knownIssues = ({ site }: ProductCall, ids: unknown) => numbers(ids).filter(id => site.issues.has(String(id)))

function checkContentPermission(call: ProductCall): Reply {
  found(call.site.contents.get(call.param('content')), 'content')
  const { identifier, operation } = readBody(call, body => ({
    identifier: readText(readObject(body.subject, 'subject').identifier, 'subject.identifier'),
    operation: readText(body.operation, 'operation'),
  }))
  const user = call.site.users.get(identifier)
  const hasPermission = user?.may(operation) === true
  return { status: 200, json: { hasPermission } }
}
