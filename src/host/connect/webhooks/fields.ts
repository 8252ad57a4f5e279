/** What queries can ask of an issue or a content. */

import type { Content } from '../sites/content.ts'
import type { Issue } from '../sites/issue.ts'
import type { Place } from '../tokens/claims.ts'
import type { FieldReader } from './query.ts'

export const fieldsOf =
  ({ issue, content }: Place): FieldReader =>
  field =>
    issue !== undefined ? issueField(issue, field) : content && contentField(content, field)

/** A field that is an object counts by its name. */
export function issueField(issue: Issue, field: string): unknown {
  switch (field) {
    case 'project':
      return issue.project.key
    case 'issuetype':
      return issue.issueType.name
    case 'key':
    case 'issuekey':
    case 'issue':
      return issue.key
    case 'id':
      return issue.id
    default:
      return nameOf(issue.fields[field])
  }
}

export function contentField(content: Content, field: string): unknown {
  switch (field) {
    case 'space':
    case 'space.key':
      return content.space.key
    case 'type':
      return content.type
    case 'title':
      return content.title
    case 'id':
    case 'content':
      return content.id
    default:
      return undefined
  }
}

const nameOf = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && 'name' in value ? value.name : value
