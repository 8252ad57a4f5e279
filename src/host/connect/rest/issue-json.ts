/** Jira's things as its API shows them: issues, projects, people, comments, changes. */

import { ISSUE_TYPES } from '../sites/catalogue.ts'
import { jiraTime } from '../sites/change-issue.ts'
import { shownText } from '../sites/document.ts'
import type { Attachment, Issue, IssueChange, IssueComment, IssueLink, Project } from '../sites/issue.ts'
import type { Product } from '../sites/product.ts'
import type { ProductCall } from './product-route.ts'

/** How much of an issue is shown. */
export interface IssueView {
  /** Version of the API: the second shows texts, the third documents. */
  readonly version?: string
  /** Names of fields; `undefined` and `*all`: all. */
  readonly fields?: readonly string[] | undefined
  readonly expand?: readonly string[]
  /** Keys of properties. */
  readonly properties?: readonly string[]
}

/** What a call asks for by `fields`, `expand` and `properties`. */
export function viewOf({ call, param }: ProductCall): IssueView {
  const list = (name: string) => {
    const given = call.query.getAll(name).flatMap(text => text.split(','))
    return given.length === 0 ? undefined : given.map(text => text.trim()).filter(text => text !== '')
  }
  return {
    version: param('version') || '3',
    fields: list('fields'),
    expand: list('expand') ?? [],
    properties: list('properties') ?? [],
  }
}

export function describePerson({ site, baseUrl }: Product, accountId: string | undefined) {
  if (accountId === undefined) return null
  const user = site.users.get(accountId)
  const sizes = ['48x48', '32x32', '24x24', '16x16']
  return {
    self: `${baseUrl}/rest/api/3/user?accountId=${encodeURIComponent(accountId)}`,
    accountId,
    accountType: accountId.startsWith('app:') ? 'app' : 'atlassian',
    displayName: user?.displayName ?? accountId,
    active: user?.accountStatus !== 'closed',
    timeZone: user?.timeZone ?? 'Etc/UTC',
    avatarUrls: Object.fromEntries(sizes.map(size => [size, `${baseUrl}/secure/useravatar?size=${size}`])),
  }
}

export const describeProject = ({ baseUrl }: Product, { id, key, name }: Project) => ({
  self: `${baseUrl}/rest/api/3/project/${id}`,
  id,
  key,
  name,
  projectTypeKey: 'software',
  simplified: true,
  style: 'next-gen',
  isPrivate: false,
  avatarUrls: { '48x48': `${baseUrl}/rest/api/3/universal_avatar/view/type/project/avatar/10400` },
})

/** A project by itself has more to show than in a list. */
export const describeWholeProject = (product: Product, project: Project) => ({
  ...describeProject(product, project),
  description: '',
  lead: describePerson(product, [...product.site.users.keys()][0]),
  issueTypes: ISSUE_TYPES,
  components: [],
  versions: [],
  roles: {},
})

export const describeIssueType = ({ id, name }: { readonly id: string; readonly name: string }) =>
  ISSUE_TYPES.find(type => type.id === id) ?? { id, name, subtask: false }

export function describeIssue(product: Product, issue: Issue, view: IssueView = {}) {
  const { id, key } = issue
  const all = fieldsOf(product, issue, view.version)
  const { fields, expand = [], properties = [] } = view
  return {
    id,
    key,
    self: `${product.baseUrl}/rest/api/3/issue/${id}`,
    fields: fields === undefined ? all : chosen(all, fields),
    ...(expand.includes('changelog') && { changelog: changelogOf(product, issue) }),
    ...(expand.includes('names') && { names: Object.fromEntries(Object.keys(all).map(name => [name, name])) }),
    ...(properties.length > 0 && {
      properties: Object.fromEntries(
        properties.flatMap(name => (issue.properties.has(name) ? [[name, issue.properties.get(name)]] : [])),
      ),
    }),
  }
}

/** `*all`, `*navigable`, names, and names with a minus that are left out. */
function chosen(all: Readonly<Record<string, unknown>>, wanted: readonly string[]) {
  const left = wanted.filter(name => name.startsWith('-')).map(name => name.slice(1))
  const named = wanted.filter(name => !name.startsWith('-'))
  const isAll = named.length === 0 || named.some(name => name.startsWith('*'))
  return Object.fromEntries(
    Object.entries(all).filter(([name]) => (isAll || named.includes(name)) && !left.includes(name)),
  )
}

function fieldsOf(product: Product, issue: Issue, version: string | undefined): Readonly<Record<string, unknown>> {
  const { fields, project, issueType, creatorId, createdAt, updatedAt, comments, watchers, attachments } = issue
  const person = (value: unknown) =>
    describePerson(product, (Object(value ?? undefined) as { accountId?: string }).accountId)
  const all = [...comments.values()].map(comment => describeComment(product, comment, version))
  return {
    ...fields,
    description: shownText(fields.description, version),
    assignee: person(fields.assignee),
    reporter: person(fields.reporter ?? { accountId: creatorId }),
    creator: describePerson(product, creatorId),
    issuetype: describeIssueType(issueType),
    project: describeProject(product, project),
    created: jiraTime(createdAt),
    updated: jiraTime(updatedAt),
    comment: { comments: all, maxResults: all.length, total: all.length, startAt: 0 },
    attachment: [...attachments.values()].map(one => describeAttachment(product, one)),
    issuelinks: linksOf(product, issue),
    subtasks: childrenOf(product, issue).map(child => briefly(product, child)),
    watches: { watchCount: watchers.size, isWatching: false },
    votes: { votes: 0, hasVoted: false },
  }
}

const childrenOf = ({ site }: Product, { id, key }: Issue): readonly Issue[] =>
  [...site.issues.values()].filter(({ fields }) => {
    const parent = Object(fields.parent ?? undefined) as { id?: unknown; key?: unknown }
    return parent.id === id || parent.key === key
  })

/** Where another issue names it. */
const briefly = ({ baseUrl }: Product, { id, key, fields, issueType }: Issue) => ({
  id,
  key,
  self: `${baseUrl}/rest/api/3/issue/${id}`,
  fields: {
    summary: fields.summary,
    status: fields.status,
    priority: fields.priority,
    issuetype: describeIssueType(issueType),
  },
})

const linksOf = (product: Product, issue: Issue) =>
  [...product.site.issueLinks.values()].flatMap(({ id, type, inwardIssue, outwardIssue }) => {
    const self = `${product.baseUrl}/rest/api/3/issueLink/${id}`
    if (inwardIssue !== issue && outwardIssue !== issue) return []
    const other = inwardIssue === issue ? { outwardIssue } : { inwardIssue }
    return Object.entries(other).map(([side, tied]) => ({ id, self, type, [side]: briefly(product, tied) }))
  })

export const describeLink = (product: Product, { id, type, inwardIssue, outwardIssue }: IssueLink) => ({
  id,
  self: `${product.baseUrl}/rest/api/3/issueLink/${id}`,
  type,
  inwardIssue: briefly(product, inwardIssue),
  outwardIssue: briefly(product, outwardIssue),
})

export const describeComment = (product: Product, comment: IssueComment, version?: string) => ({
  self: `${product.baseUrl}/rest/api/3/comment/${comment.id}`,
  id: comment.id,
  author: describePerson(product, comment.authorId),
  updateAuthor: describePerson(product, comment.authorId),
  body: shownText(comment.body, version),
  created: jiraTime(comment.createdAt),
  updated: jiraTime(comment.updatedAt),
  jsdPublic: true,
})

export const describeAttachment = (product: Product, { id, filename, mimeType, content, ...rest }: Attachment) => ({
  self: `${product.baseUrl}/rest/api/3/attachment/${id}`,
  id,
  filename,
  author: describePerson(product, rest.authorId),
  created: jiraTime(rest.createdAt),
  size: content.length,
  mimeType,
  content: `${product.baseUrl}/rest/api/3/attachment/content/${id}`,
})

/** Newest first, as inside of an issue. */
function changelogOf(product: Product, { history }: Issue) {
  const histories = history.map(change => describeChange(product, change)).reverse()
  return { startAt: 0, maxResults: histories.length, total: histories.length, histories }
}

export const describeChange = (product: Product, { id, at, authorId, items }: IssueChange) => ({
  id,
  author: describePerson(product, authorId),
  created: jiraTime(at),
  items,
})
