/** What every simulated Jira has: statuses, types of issues, priorities, resolutions, types of links. */

const category = (id: number, key: string, name: string, colorName: string) => ({ id, key, name, colorName })
export const STATUSES = [
  { id: '10000', name: 'To Do', statusCategory: category(2, 'new', 'To Do', 'blue-gray') },
  { id: '3', name: 'In Progress', statusCategory: category(4, 'indeterminate', 'In Progress', 'yellow') },
  { id: '10001', name: 'Done', statusCategory: category(3, 'done', 'Done', 'green') },
] as const
export const ISSUE_TYPES = [
  { id: '10001', name: 'Task', subtask: false, hierarchyLevel: 0 },
  { id: '10002', name: 'Bug', subtask: false, hierarchyLevel: 0 },
  { id: '10003', name: 'Story', subtask: false, hierarchyLevel: 0 },
  { id: '10004', name: 'Epic', subtask: false, hierarchyLevel: 1 },
  { id: '10005', name: 'Subtask', subtask: true, hierarchyLevel: -1 },
] as const
export const PRIORITIES = ['Highest', 'High', 'Medium', 'Low', 'Lowest'].map((name, index) => ({
  id: String(index + 1),
  name,
}))
export const RESOLUTIONS = [
  { id: '10000', name: 'Done', description: 'Work has been completed.' },
  { id: '10001', name: "Won't Do", description: 'This will not be actioned.' },
  { id: '10002', name: 'Duplicate', description: 'The problem is a duplicate.' },
] as const
export const LINK_TYPES = [
  { id: '10000', name: 'Blocks', inward: 'is blocked by', outward: 'blocks' },
  { id: '10001', name: 'Cloners', inward: 'is cloned by', outward: 'clones' },
  { id: '10002', name: 'Duplicate', inward: 'is duplicated by', outward: 'duplicates' },
  { id: '10003', name: 'Relates', inward: 'relates to', outward: 'relates to' },
] as const

/** The entry that `{ id }` or `{ name }` means; names in any case of letters. */
export function pick<T extends { readonly id: string; readonly name: string }>(
  list: readonly T[],
  given: unknown,
): T | undefined {
  const { id, name } = Object(given) as { id?: unknown; name?: unknown }
  return list.find(one => one.id === String(id ?? '') || one.name.toLowerCase() === String(name ?? '').toLowerCase())
}
