/** What queries can ask of an issue or a content. */

import { ancestorsOf, type Content } from '../sites/content.ts'
import { textOf } from '../sites/document.ts'
import type { Issue } from '../sites/issue.ts'
import type { Site } from '../sites/site.ts'
import type { Place } from '../tokens/claims.ts'
import { type FieldValue, NOTHING, type Subject } from './match.ts'

export const subjectOf = ({ issue, content }: Place, site: Site): Subject =>
  issue !== undefined ? issueSubject(issue, site) : content === undefined ? NOTHING : contentSubject(content)

export const issueSubject = (issue: Issue, site: Site): Subject => ({
  read: field => issueField(issue, site, field),
  past: field => {
    const { history } = issue
    const before = history.flatMap(({ items }) =>
      items.filter(item => item.fieldId === field || item.field.toLowerCase() === field),
    )
    const now = listOf(issueField(issue, site, field)).map(String)
    return [...before.flatMap(({ from, fromString }) => [from, fromString]).filter(text => text !== null), ...now]
  },
})

export const contentSubject = (content: Content): Subject => ({
  read: field => contentField(content, field),
  past: () => [],
})

const listOf = (value: FieldValue): readonly (string | number)[] =>
  typeof value === 'string' || typeof value === 'number' ? [value] : Array.isArray(value) ? value : []

function issueField(issue: Issue, site: Site, field: string): FieldValue {
  const { fields, project, issueType } = issue
  switch (field) {
    case 'project':
      return [project.key, project.name, project.id]
    case 'issuetype':
    case 'type':
      return [issueType.name, issueType.id]
    case 'key':
    case 'issuekey':
    case 'issue':
    case 'id':
      return [issue.key, issue.id]
    case 'created':
    case 'createddate':
      return new Date(issue.createdAt)
    case 'updated':
    case 'updateddate':
      return new Date(issue.updatedAt)
    case 'due':
    case 'duedate':
      return dateOf(fields.duedate)
    case 'resolved':
    case 'resolutiondate':
      return dateOf(fields.resolutiondate)
    case 'resolution':
      return valuesOf(fields.resolution)
    case 'statuscategory': {
      const status = fields.status as { statusCategory?: { key?: string; name?: string } } | null
      return [status?.statusCategory?.name ?? '', status?.statusCategory?.key ?? '']
    }
    case 'assignee':
    case 'reporter':
      return peopleOf(site, fields[field])
    case 'creator':
      return peopleOf(site, { accountId: issue.creatorId })
    case 'watcher':
      return [...issue.watchers]
    case 'text':
      return [
        textOf(fields.summary),
        textOf(fields.description),
        ...[...issue.comments.values()].map(({ body }) => textOf(body)),
      ]
    case 'description':
    case 'environment':
      return fields[field] == null ? null : textOf(fields[field])
    case 'component':
      return valuesOf(fields.components)
    case 'fixversion':
      return valuesOf(fields.fixVersions)
    case 'affectedversion':
      return valuesOf(fields.versions)
    // One sprint per project, which is active (see rest/agile.ts).
    case 'sprint':
      return ['active', project.id]
    default:
      return valuesOf(fields[Object.keys(fields).find(name => name.toLowerCase() === field) ?? field])
  }
}

const dateOf = (value: unknown): Date | null => (typeof value === 'string' ? new Date(value) : null)

/** An object counts by its name, key, value and id; a list by each of its entries. */
function valuesOf(value: unknown): readonly (string | number)[] | undefined {
  if (value === undefined || value === null) return undefined
  if (Array.isArray(value)) return value.flatMap(one => valuesOf(one) ?? [])
  if (typeof value === 'number') return [value]
  if (typeof value !== 'object') return [String(value)]
  const { name, key, value: inner, id, accountId } = value as Readonly<Record<string, unknown>>
  return [name, key, inner, id, accountId].filter(one => typeof one === 'string' || typeof one === 'number')
}

function peopleOf({ users }: Site, value: unknown): readonly string[] {
  const { accountId } = (value ?? {}) as { accountId?: string }
  if (accountId === undefined) return []
  const user = users.get(accountId)
  return [
    accountId,
    ...(user === undefined ? [] : [user.displayName, ...(user.email === undefined ? [] : [user.email])]),
  ]
}

function contentField(content: Content, field: string): FieldValue {
  switch (field) {
    case 'space':
    case 'space.key':
      return [content.space.key, content.space.name]
    case 'space.id':
      return content.space.id
    case 'type':
      return content.type
    case 'title':
      return content.title
    case 'id':
    case 'content':
      return content.id
    case 'label':
      return [...content.labels]
    case 'parent':
      return content.parent?.id
    case 'ancestor':
      return ancestorsOf(content).map(({ id }) => id)
    case 'creator':
    case 'contributor':
      return content.authorId
    case 'text':
    case 'sitesearch':
      return [content.title, content.body]
    case 'created':
      return new Date(content.createdAt)
    case 'lastmodified':
      return new Date(content.updatedAt)
    default:
      return undefined
  }
}
