/** What follows for the host when an installation comes into force, and when it ends. */

import { groupRecord } from '../groups/group.ts'
import type { HostState } from '../state.ts'
import type { Descriptor } from './descriptor.ts'
import type { Installation, LifecycleResult } from './installation.ts'

export function activate(
  state: HostState,
  installation: Installation,
  descriptor: Descriptor,
  result: LifecycleResult,
): void {
  const webhooks = descriptor.webhooks.map(spec => ({
    ...spec,
    id: state.random.nextId(),
    installation,
    source: 'descriptor' as const,
  }))
  installation.subscribe(descriptor, webhooks)
  installation.settle('installed', result)
  groupRecord(state, installation.group).installations.add(installation)
}

/** Takes away everything it had: client, tokens, webhooks, extensions, glances, open pages, waiting deliveries. */
export function deactivate(
  state: HostState,
  installation: Installation,
  to: 'failed' | 'uninstalled',
  result: LifecycleResult | undefined,
): void {
  const group = groupRecord(state, installation.group)
  installation.settle(to, result)
  installation.subscribe(installation.descriptor, [])
  group.installations.delete(installation)
  for (const room of group.rooms) {
    for (const webhook of room.webhooks.values())
      if (webhook.installation === installation) room.webhooks.delete(webhook.id)
  }
  state.clients.delete(installation.oauthId)
  state.tokens.revokeAll(installation)
  state.grants.revokeAll(installation)
  state.extensions.dropAll(installation)
  state.glances.dropAll(installation)
  state.views.dropAll(installation)
  state.deliveries.drop(webhook => webhook.installation === installation)
}
