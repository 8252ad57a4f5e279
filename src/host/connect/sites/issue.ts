/** Jira's things: projects and issues, as far as apps look at them. */

export interface Project {
  readonly id: string
  readonly key: string
  readonly name: string
  readonly properties: Map<string, unknown>
}

export interface IssueComment {
  readonly id: string
  readonly authorId: string | undefined
  body: unknown
  readonly properties: Map<string, unknown>
  /** Epoch milliseconds. */
  readonly createdAt: number
  updatedAt: number
}

export interface Issue {
  readonly id: string
  readonly key: string
  readonly project: Project
  issueType: { readonly id: string; readonly name: string }
  /** `summary`, `status`, custom ones: whatever was set, people by `{ accountId }`. */
  fields: Record<string, unknown>
  /** Account that made it. */
  readonly creatorId: string | undefined
  /** Epoch milliseconds. */
  readonly createdAt: number
  updatedAt: number
  /** Oldest first. */
  readonly history: IssueChange[]
  readonly comments: Map<string, IssueComment>
  readonly properties: Map<string, unknown>
  readonly watchers: Set<string>
  readonly worklogs: Map<string, Worklog>
  readonly attachments: Map<string, Attachment>
}

/** What one edit has changed. */
export interface IssueChange {
  readonly id: string
  readonly at: number
  readonly authorId: string | undefined
  readonly items: readonly ChangedField[]
}

/** As Jira's changelog names it. */
export interface ChangedField {
  readonly field: string
  readonly fieldtype: 'jira'
  readonly fieldId: string
  readonly from: string | null
  readonly fromString: string | null
  readonly to: string | null
  readonly toString: string | null
}

export interface Worklog {
  readonly id: string
  readonly authorId: string | undefined
  readonly timeSpentSeconds: number
  readonly comment: unknown
}

export interface Attachment {
  readonly id: string
  readonly filename: string
  readonly mimeType: string
  readonly content: Buffer
  readonly authorId: string | undefined
  readonly createdAt: number
}

/** From one issue to another. */
export interface IssueLink {
  readonly id: string
  readonly type: { readonly id: string; readonly name: string; readonly inward: string; readonly outward: string }
  readonly inwardIssue: Issue
  readonly outwardIssue: Issue
}

export interface IssueSpec {
  readonly summary: string
  readonly issueType?: { readonly id: string; readonly name: string }
  /** Further fields, by their id. */
  readonly fields?: Readonly<Record<string, unknown>>
  /** Account that makes it. */
  readonly creatorId?: string | undefined
}
