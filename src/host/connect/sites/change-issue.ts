/** Edits of an issue: what is given becomes what Jira keeps, and what has changed is written into its history. */

import { ISSUE_TYPES, PRIORITIES, pick, RESOLUTIONS, STATUSES } from './catalogue.ts'
import { textOf } from './document.ts'
import type { ChangedField, Issue, IssueChange } from './issue.ts'

export interface Edit {
  readonly id: string
  /** Epoch milliseconds. */
  readonly at: number
  readonly authorId: string | undefined
}

/** Fields of an issue that nobody has said anything about. */
export const NEW_FIELDS: Readonly<Record<string, unknown>> = {
  status: STATUSES[0],
  priority: PRIORITIES[2],
  resolution: null,
  resolutiondate: null,
  assignee: null,
  reporter: null,
  description: null,
  duedate: null,
  labels: [],
  components: [],
  fixVersions: [],
  versions: [],
}

/** @returns what has changed; `undefined`: nothing */
export function changeIssue(
  issue: Issue,
  given: Readonly<Record<string, unknown>>,
  edit: Edit,
): IssueChange | undefined {
  const { issuetype, ...further } = given
  const before = { ...issue.fields, issuetype: issue.issueType }
  const type = issuetype === undefined ? undefined : pick(ISSUE_TYPES, issuetype)
  if (type !== undefined) issue.issueType = { id: type.id, name: type.name }
  const fields = keptFields(further)
  issue.fields = { ...issue.fields, ...fields, ...resolved(issue.fields, fields, edit.at) }
  const after: Readonly<Record<string, unknown>> = { ...issue.fields, issuetype: issue.issueType }
  const items = Object.keys(after)
    .filter(name => name !== 'resolutiondate')
    .flatMap(name => changed(name, (before as Readonly<Record<string, unknown>>)[name], after[name]))
  if (items.length === 0) return undefined
  const change: IssueChange = { ...edit, items }
  issue.updatedAt = edit.at
  issue.history.push(change)
  return change
}

/** Statuses and priorities by name or id become whole ones; people stay `{ accountId }`. */
export function keptFields(given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const kept = { ...given }
  const lists = { status: STATUSES, priority: PRIORITIES, resolution: RESOLUTIONS }
  for (const [name, list] of Object.entries(lists)) {
    const found = given[name] == null ? undefined : pick(list, given[name])
    if (found !== undefined) kept[name] = found
  }
  for (const name of ['assignee', 'reporter']) {
    const { accountId, id } = Object(given[name] ?? undefined) as { accountId?: unknown; id?: unknown }
    if (accountId !== undefined || id !== undefined) kept[name] = { accountId: accountId ?? id }
  }
  return kept
}

/** A status that is done brings a resolution and its date; one that is not takes them away. */
function resolved(before: Readonly<Record<string, unknown>>, given: Readonly<Record<string, unknown>>, at: number) {
  const status = given.status as { statusCategory?: { key?: string } } | undefined
  if (status?.statusCategory === undefined) return {}
  const isDone = status.statusCategory.key === 'done'
  if (isDone === (before.resolution != null)) return {}
  return isDone
    ? { resolution: given.resolution ?? RESOLUTIONS[0], resolutiondate: jiraTime(at) }
    : { resolution: null, resolutiondate: null }
}

/** `2026-11-26T10:00:00.000+0000` */
export const jiraTime = (at: number): string => new Date(at).toISOString().replace('Z', '+0000')

const NAMES: Readonly<Record<string, string>> = {
  fixVersions: 'Fix Version',
  versions: 'Version',
  components: 'Component',
}

function changed(name: string, before: unknown, after: unknown): ChangedField[] {
  if (JSON.stringify(before ?? null) === JSON.stringify(after ?? null)) return []
  const [was, is] = [told(before), told(after)]
  return [
    {
      field: NAMES[name] ?? name,
      fieldtype: 'jira',
      fieldId: name,
      from: was.id,
      fromString: was.text,
      to: is.id,
      toString: is.text,
    },
  ]
}

function told(value: unknown): { readonly id: string | null; readonly text: string | null } {
  if (value === undefined || value === null) return { id: null, text: null }
  if (Array.isArray(value)) {
    const texts = value.map(one => told(one).text ?? '')
    return { id: null, text: texts.join(' ') }
  }
  if (typeof value !== 'object') return { id: null, text: String(value) }
  const { id, accountId, name, key, displayName, value: inner } = value as Readonly<Record<string, unknown>>
  const text = name ?? displayName ?? inner ?? key ?? accountId
  return {
    id: id === undefined ? (accountId === undefined ? null : String(accountId)) : String(id),
    text: text === undefined ? textOf(value) : String(text),
  }
}
