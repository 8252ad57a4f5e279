/** What happens in a product, as Forge tells it: `avi:jira:created:issue` and its payload (Forge protocol s. 5.1; documentation of 2026-10). */

import type { JsonValue } from '../../../core/tenant.ts'
import type { Content } from '../sites/content.ts'
import type { Product } from '../sites/product.ts'
import type { HostEvent } from '../webhooks/listeners.ts'

export interface ForgeEvent {
  readonly product: Product
  /** JSON; `eventType` says what has happened. */
  readonly event: { readonly eventType: string; readonly [name: string]: JsonValue }
  /** Id of the Forge app that has done it. */
  readonly causedBy: string | undefined
}

const JIRA_EVENTS: Readonly<Record<string, string>> = {
  'jira:issue_created': 'avi:jira:created:issue',
  'jira:issue_updated': 'avi:jira:updated:issue',
  'jira:issue_deleted': 'avi:jira:deleted:issue',
  comment_created: 'avi:jira:commented:issue',
  comment_updated: 'avi:jira:commented:issue',
  comment_deleted: 'avi:jira:deleted:comment',
}
const CONTENT_WHAT: Readonly<Record<string, string>> = { created: 'created', updated: 'updated', trashed: 'trashed' }

/** `undefined` for what Forge has no event of. */
export function forgeEventOf(source: HostEvent): ForgeEvent | undefined {
  const event = source.product.type === 'jira' ? jiraEvent(source) : confluenceEvent(source)
  if (event === undefined) return undefined
  // As it would arrive: JSON, and a copy.
  const told = JSON.parse(JSON.stringify(event)) as ForgeEvent['event']
  return { product: source.product, event: told, causedBy: source.causedBy }
}

function jiraEvent({ event, place, payload, forgePayload = payload }: HostEvent): object | undefined {
  const eventType = JIRA_EVENTS[event]
  if (eventType === undefined) return undefined
  return {
    eventType,
    ...forgePayload,
    atlassianId: place.user?.accountId,
    associatedUsers: usersOf(place.user?.accountId),
  }
}

function confluenceEvent({ event, place }: HostEvent): object | undefined {
  const [what = '', how = ''] = event.split('_')
  const verb = CONTENT_WHAT[how]
  const { content } = place
  if (verb === undefined || content === undefined) return undefined
  const kind = what === 'blog' ? 'blogpost' : what
  return {
    eventType: `avi:confluence:${verb}:${kind}`,
    atlassianId: place.user?.accountId,
    content: describe(content),
  }
}

const describe = ({ id, type, title, space, version }: Content) => ({
  id,
  type,
  status: 'current',
  title,
  space: { id: space.id, key: space.key, name: space.name },
  version: { number: version },
})

const usersOf = (accountId: string | undefined) => (accountId === undefined ? [] : [{ accountId }])
