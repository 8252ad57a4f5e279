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
}

export interface Issue {
  readonly id: string
  readonly key: string
  readonly project: Project
  readonly issueType: { readonly id: string; readonly name: string }
  /** `summary`, `status`, custom ones: whatever was set. */
  fields: Record<string, unknown>
  readonly comments: Map<string, IssueComment>
  readonly properties: Map<string, unknown>
  readonly watchers: Set<string>
  readonly worklogs: Map<string, Worklog>
}

export interface Worklog {
  readonly id: string
  readonly authorId: string | undefined
  readonly timeSpentSeconds: number
  readonly comment: unknown
}

export interface IssueSpec {
  readonly summary: string
  readonly issueType?: { readonly id: string; readonly name: string }
  /** Further fields, by their id. */
  readonly fields?: Readonly<Record<string, unknown>>
}
