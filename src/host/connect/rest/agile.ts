/** Jira Software: a board for each project, whose one sprint is active and has all issues of it. */

import type { Reply } from '../../server/reply.ts'
import type { Issue, Project } from '../sites/issue.ts'
import { found } from './body.ts'
import { describeIssue, viewOf } from './issue-json.ts'
import type { ProductCall, ProductRoute } from './product-route.ts'

const PRODUCTS = ['jira'] as const
const API = '/rest/agile/1.0'

const reads = (path: string, handle: ProductRoute['handle']): ProductRoute => ({
  products: PRODUCTS,
  method: 'GET',
  path: `${API}${path}`,
  scope: 'READ',
  handle,
})

export const agileRoutes: readonly ProductRoute[] = [
  reads('/board', listBoards),
  reads('/board/:board', call => ({ status: 200, json: describeBoard(call, projectIn(call, 'board')) })),
  reads('/board/:board/issue', call => listIssues(call, projectIn(call, 'board'))),
  reads('/board/:board/backlog', listBacklog),
  reads('/board/:board/sprint', listSprints),
  reads('/sprint/:sprint', call => ({ status: 200, json: describeSprint(call, projectIn(call, 'sprint')) })),
  reads('/sprint/:sprint/issue', call => listIssues(call, projectIn(call, 'sprint'))),
]

/** Boards and sprints have the id of their project. */
function projectIn({ site, param }: ProductCall, name: 'board' | 'sprint'): Project {
  return found(
    [...site.projects.values()].find(({ id }) => id === param(name)),
    name,
  )
}

const describeBoard = ({ product }: ProductCall, { id, key, name }: Project) => ({
  id: Number(id),
  self: `${product.baseUrl}${API}/board/${id}`,
  name: `${key} board`,
  type: 'scrum',
  location: { projectId: Number(id), projectKey: key, projectName: name, displayName: `${name} (${key})` },
})

const describeSprint = ({ product }: ProductCall, { id, key }: Project) => ({
  id: Number(id),
  self: `${product.baseUrl}${API}/sprint/${id}`,
  state: 'active',
  name: `${key} Sprint 1`,
  originBoardId: Number(id),
  goal: '',
})

function listBoards(call: ProductCall): Reply {
  const wanted = call.call.query.get('projectKeyOrId')
  const projects = [...call.site.projects.values()].filter(
    ({ id, key }) => wanted === null || wanted === key || wanted === id,
  )
  return valuesPage(projects.map(project => describeBoard(call, project)))
}

function listSprints(call: ProductCall): Reply {
  const project = projectIn(call, 'board')
  const states = (call.call.query.get('state') ?? 'active').split(',')
  return valuesPage(states.includes('active') ? [describeSprint(call, project)] : [])
}

const valuesPage = (values: readonly unknown[]): Reply => ({
  status: 200,
  json: { maxResults: 50, startAt: 0, total: values.length, isLast: true, values },
})

function listBacklog(call: ProductCall): Reply {
  projectIn(call, 'board')
  return issuePage(call, [])
}

const listIssues = (call: ProductCall, project: Project): Reply =>
  issuePage(
    call,
    [...call.site.issues.values()].filter(issue => issue.project === project),
  )

function issuePage(call: ProductCall, issues: readonly Issue[]): Reply {
  const start = Math.max(0, Number(call.call.query.get('startAt')) || 0)
  const size = Math.min(100, Number(call.call.query.get('maxResults')) || 50)
  const view = viewOf(call)
  const shown = issues.slice(start, start + size).map(issue => describeIssue(call.product, issue, view))
  return { status: 200, json: { startAt: start, maxResults: size, total: issues.length, issues: shown } }
}
