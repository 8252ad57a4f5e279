/** Lists and searches of both products, by JQL and CQL. */

import { ApiError } from '../../server/api-error.ts'
import type { Reply } from '../../server/reply.ts'
import { contentSubject, issueSubject } from '../query/fields.ts'
import { type Subject, select } from '../query/match.ts'
import { QueryError } from '../query/parse.ts'
import { ISSUE_TYPES } from '../sites/catalogue.ts'
import type { Content } from '../sites/content.ts'
import type { Issue } from '../sites/issue.ts'
import type { ConnectState } from '../state.ts'
import { readBody } from './body.ts'
import { describeContent, webuiOf } from './contents.ts'
import { describeIssue, describeProject, viewOf } from './issue-json.ts'
import type { ProductCall, ProductRoute } from './product-route.ts'

const JIRA = ['jira'] as const
const MAX_RESULTS = 100

export const searchRoutes: readonly ProductRoute[] = [
  { products: JIRA, method: 'GET', path: '/rest/api/:version/search', scope: 'READ', handle: searchIssues },
  { products: JIRA, method: 'GET', path: '/rest/api/:version/search/jql', scope: 'READ', handle: searchIssues },
  { products: JIRA, method: 'POST', path: '/rest/api/:version/search', scope: 'READ', handle: searchByBody },
  { products: JIRA, method: 'POST', path: '/rest/api/:version/search/jql', scope: 'READ', handle: searchByBody },
  {
    products: JIRA,
    method: 'POST',
    path: '/rest/api/:version/search/approximate-count',
    scope: 'READ',
    handle: countIssues,
  },
  { products: JIRA, method: 'GET', path: '/rest/api/:version/project/search', scope: 'READ', handle: listProjects },
  {
    products: ['confluence'],
    method: 'GET',
    path: '/rest/api/content/search',
    scope: 'READ',
    handle: searchContents,
  },
  { products: ['confluence'], method: 'GET', path: '/rest/api/search', scope: 'READ', handle: searchEverything },
]

/** @throws ApiError 400 */
function find<T>(
  { call, user }: ProductCall,
  name: 'jql' | 'cql',
  { clock }: ConnectState,
  all: Iterable<T>,
  subjectOf: (one: T) => Subject,
): readonly T[] {
  try {
    const context = { now: clock.now(), accountId: user?.accountId }
    return select(call.query.get(name) ?? '', all, subjectOf, context)
  } catch (error) {
    if (error instanceof QueryError) throw new ApiError(400, error.message)
    throw error
  }
}

const findIssues = (call: ProductCall, state: ConnectState): readonly Issue[] =>
  find(call, 'jql', state, call.site.issues.values(), issue => issueSubject(issue, call.site))

const findContents = (call: ProductCall, state: ConnectState): readonly Content[] =>
  find(call, 'cql', state, call.site.contents.values(), contentSubject)

/** The same, where a query is too long for an address. */
function searchByBody(call: ProductCall, state: ConnectState): Reply {
  return searchIssues({ ...call, call: { ...call.call, query: queryOfBody(call) } }, state)
}

function queryOfBody(call: ProductCall): URLSearchParams {
  const given = readBody(call, body => body)
  const query = new URLSearchParams()
  for (const name of ['jql', 'startAt', 'maxResults', 'nextPageToken', 'fields', 'expand', 'properties']) {
    if (given[name] !== undefined && given[name] !== null) query.set(name, String(given[name]))
  }
  return query
}

function countIssues(call: ProductCall, state: ConnectState): Reply {
  const found = findIssues({ ...call, call: { ...call.call, query: queryOfBody(call) } }, state)
  return { status: 200, json: { count: found.length } }
}

/** The page that `startAt` (Jira) or `start` (Confluence) asks for. */
function pageOf<T>({ call: { query } }: ProductCall, all: readonly T[], startName: string, sizeName: string) {
  const start = Math.max(0, Number(query.get(startName)) || 0)
  const size = Math.min(MAX_RESULTS, Number(query.get(sizeName)) || MAX_RESULTS)
  return { start, size, values: all.slice(start, start + size), isLast: start + size >= all.length }
}

function searchIssues(call: ProductCall, state: ConnectState): Reply {
  const issues = findIssues(call, state)
  // The newer search names pages by tokens, which are places here.
  const startName = call.call.query.has('nextPageToken') ? 'nextPageToken' : 'startAt'
  const { start, size, values, isLast } = pageOf(call, issues, startName, 'maxResults')
  const next = isLast ? {} : { nextPageToken: String(start + size) }
  const view = viewOf(call)
  const shown = values.map(issue => describeIssue(call.product, issue, view))
  return {
    status: 200,
    json: { startAt: start, maxResults: size, total: issues.length, isLast, ...next, issues: shown },
  }
}

function listProjects(call: ProductCall): Reply {
  const text = (call.call.query.get('query') ?? '').toLowerCase()
  const keys = call.call.query.getAll('keys')
  const projects = [...call.site.projects.values()].filter(
    ({ key, name }) => (keys.length === 0 || keys.includes(key)) && `${key} ${name}`.toLowerCase().includes(text),
  )
  const { start, size, values, isLast } = pageOf(call, projects, 'startAt', 'maxResults')
  const shown = values.map(project => ({ ...describeProject(call.product, project), issueTypes: ISSUE_TYPES }))
  return { status: 200, json: { startAt: start, maxResults: size, total: projects.length, isLast, values: shown } }
}

function searchContents(call: ProductCall, state: ConnectState): Reply {
  const contents = findContents(call, state)
  const { start, size, values } = pageOf(call, contents, 'start', 'limit')
  const results = values.map(content => describeContent(call.product, content))
  return { status: 200, json: { results, start, limit: size, size: results.length, totalSize: contents.length } }
}

/** The search of the site: what was found, inside of what is said about it. */
function searchEverything(call: ProductCall, state: ConnectState): Reply {
  const contents = findContents(call, state)
  const { start, size, values } = pageOf(call, contents, 'start', 'limit')
  const results = values.map(content => ({
    content: describeContent(call.product, content),
    title: content.title,
    excerpt: '',
    url: webuiOf(content),
    entityType: 'content',
    lastModified: new Date(content.updatedAt).toISOString(),
  }))
  return {
    status: 200,
    json: {
      results,
      start,
      limit: size,
      size: results.length,
      totalSize: contents.length,
      cqlQuery: call.call.query.get('cql') ?? '',
      _links: { base: call.product.baseUrl },
    },
  }
}
