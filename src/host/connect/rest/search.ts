/** Lists and searches of both products, with the little JQL and CQL that this host knows. */

import { ApiError } from '../../server/api-error.ts'
import type { Reply } from '../../server/reply.ts'
import { contentField, issueField } from '../webhooks/fields.ts'
import { type FieldReader, matchesQuery, QueryError } from '../webhooks/query.ts'
import { readBody } from './body.ts'
import { describeContent } from './contents.ts'
import { describeIssue } from './issues.ts'
import type { ProductCall, ProductRoute } from './product-route.ts'

const JIRA = ['jira'] as const
const MAX_RESULTS = 100

export const searchRoutes: readonly ProductRoute[] = [
  { products: JIRA, method: 'GET', path: '/rest/api/:version/search', scope: 'READ', handle: searchIssues },
  { products: JIRA, method: 'GET', path: '/rest/api/:version/search/jql', scope: 'READ', handle: searchIssues },
  { products: JIRA, method: 'POST', path: '/rest/api/:version/search', scope: 'READ', handle: searchByBody },
  { products: JIRA, method: 'POST', path: '/rest/api/:version/search/jql', scope: 'READ', handle: searchByBody },
  { products: JIRA, method: 'GET', path: '/rest/api/:version/project/search', scope: 'READ', handle: listProjects },
  {
    products: ['confluence'],
    method: 'GET',
    path: '/rest/api/content/search',
    scope: 'READ',
    handle: searchContents,
  },
]

/** @throws ApiError 400 */
function select<T>(query: string, all: Iterable<T>, readerOf: (one: T) => FieldReader): readonly T[] {
  try {
    return [...all].filter(one => matchesQuery(query, readerOf(one)))
  } catch (error) {
    if (error instanceof QueryError) throw new ApiError(400, error.message)
    throw error
  }
}

/** The same, where a query is too long for an address. */
function searchByBody(call: ProductCall): Reply {
  const given = readBody(call, body => body)
  const query = new URLSearchParams()
  for (const name of ['jql', 'startAt', 'maxResults', 'nextPageToken']) {
    if (given[name] !== undefined) query.set(name, String(given[name]))
  }
  return searchIssues({ ...call, call: { ...call.call, query } })
}

/** The page that `startAt` (Jira) or `start` (Confluence) asks for. */
function pageOf<T>({ call: { query } }: ProductCall, all: readonly T[], startName: string, sizeName: string) {
  const start = Math.max(0, Number(query.get(startName)) || 0)
  const size = Math.min(MAX_RESULTS, Number(query.get(sizeName)) || MAX_RESULTS)
  return { start, size, values: all.slice(start, start + size), isLast: start + size >= all.length }
}

function searchIssues(call: ProductCall): Reply {
  const jql = call.call.query.get('jql') ?? ''
  const issues = select(jql, call.site.issues.values(), issue => field => issueField(issue, field))
  // The newer search names pages by tokens, which are places here.
  const startName = call.call.query.has('nextPageToken') ? 'nextPageToken' : 'startAt'
  const { start, size, values, isLast } = pageOf(call, issues, startName, 'maxResults')
  const next = isLast ? {} : { nextPageToken: String(start + size) }
  const shown = values.map(issue => describeIssue(call.product, issue))
  return {
    status: 200,
    json: { startAt: start, maxResults: size, total: issues.length, isLast, ...next, issues: shown },
  }
}

function listProjects(call: ProductCall): Reply {
  const projects = [...call.site.projects.values()].map(({ id, key, name }) => ({ id, key, name }))
  const { start, size, values, isLast } = pageOf(call, projects, 'startAt', 'maxResults')
  return { status: 200, json: { startAt: start, maxResults: size, total: projects.length, isLast, values } }
}

function searchContents(call: ProductCall): Reply {
  const cql = call.call.query.get('cql') ?? ''
  const contents = select(cql, call.site.contents.values(), content => field => contentField(content, field))
  const { start, size, values } = pageOf(call, contents, 'start', 'limit')
  const results = values.map(content => describeContent(call.product, content))
  return { status: 200, json: { results, start, limit: size, size: results.length, totalSize: contents.length } }
}
