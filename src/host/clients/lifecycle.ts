/** Install, update and uninstall: what the host does and what it tells the add-on, in the documented order. */

import { AddonCallError } from '../addon-client.ts'
import { groupRecord } from '../groups/group.ts'
import type { HostGroup, HostRoom } from '../model.ts'
import { roomRecord } from '../rooms/room.ts'
import type { HostState } from '../state.ts'
import { visit } from './browser-flow.ts'
import { type Descriptor, DescriptorError, loadDescriptor } from './descriptor.ts'
import { Installation, type LifecycleResult, type UninstallOptions, type UpdateOptions } from './installation.ts'
import { signRequest } from './sign-request.ts'

export interface InstallTarget {
  readonly group: HostGroup
  /** Left out: a global installation. */
  readonly room?: HostRoom
  /** Handed to the add-on in the browser flow. */
  readonly relayState?: string
}

/**
 * @returns the installation; its `state` is `failed` when the add-on refused, and its client is gone then
 * @throws DescriptorError when there is nothing to install
 */
export async function install(state: HostState, source: string | object, target: InstallTarget): Promise<Installation> {
  const group = groupRecord(state, target.group)
  const room = target.room === undefined ? undefined : roomRecord(state, target.room)
  if (room !== undefined && room.group !== group) throw new TypeError('the room is in another group')
  const descriptor = await loadDescriptor(state.addons, source, state.settings.callbackTimeoutMs)
  if (room === undefined && !descriptor.allowGlobal) throw new DescriptorError('invalid', 'not for whole groups')
  if (room !== undefined && !descriptor.allowRoom) throw new DescriptorError('invalid', 'not for single rooms')
  const installation = new Installation(
    {
      oauthId: state.random.uuid(),
      oauthSecret: state.random.text(40),
      source,
      descriptor,
      group,
      room,
      relayState: target.relayState,
      capabilitiesUrl: `${state.url}/v2/capabilities`,
    },
    {
      update: (one, options) => update(state, one, options),
      uninstall: (one, options) => uninstall(state, one, options),
      signRequest: (one, claims, subject) => signRequest(state, one, claims, subject),
    },
  )
  state.clients.set(installation.oauthId, installation)
  const result = await tellInstalled(state, installation, installation.oauthSecret, {
    callbackUrl: descriptor.callbackUrl,
    pageUrl: descriptor.installedUrl,
  })
  if (result.ok) activate(state, installation, descriptor, result)
  else deactivate(state, installation, 'failed', result)
  return installation
}

async function update(state: HostState, installation: Installation, options: UpdateOptions): Promise<Installation> {
  const { source, group, room, relayState } = installation
  const before = installation.state
  if (before === 'failed' || before === 'installing') throw new TypeError(`the installation is ${before}`)
  const descriptor = await loadDescriptor(state.addons, source, state.settings.callbackTimeoutMs)
  const pageUrl = descriptor.callbackUrl === undefined ? descriptor.updatedUrl : undefined
  if (descriptor.updateCallbackUrl === undefined && pageUrl === undefined) {
    deactivate(state, installation, 'uninstalled', undefined)
    return install(state, source, { group, ...(room && { room }), ...(relayState && { relayState }) })
  }
  const isRotated = options.rotateSecret === true || before === 'uninstalled'
  const secret = isRotated ? state.random.text(40) : installation.oauthSecret
  if (isRotated) installation.offerSecret(secret)
  state.clients.set(installation.oauthId, installation)
  const result = await tellInstalled(state, installation, secret, {
    callbackUrl: descriptor.updateCallbackUrl,
    pageUrl,
  })
  if (result.ok) activate(state, installation, descriptor, result)
  else if (before === 'installed') installation.settle(before, result)
  else deactivate(state, installation, before, result)
  return installation
}

/** First the client ends, then the add-on hears of it: asked at the token endpoint, the host confirms. */
async function uninstall(
  state: HostState,
  installation: Installation,
  options: UninstallOptions,
): Promise<LifecycleResult> {
  const { callbackUrl, uninstalledUrl } = installation.descriptor
  deactivate(state, installation, 'uninstalled', undefined)
  if (options.tellAddon === false) return { ok: true, status: undefined, failure: undefined }
  const url = `${callbackUrl ?? ''}/${encodeURIComponent(installation.oauthId)}`
  const result =
    callbackUrl !== undefined
      ? await callBack(state, 'DELETE', url)
      : uninstalledUrl === undefined
        ? { ok: true, status: undefined, failure: undefined }
        : await visit(state, uninstalledUrl, installable(installation, undefined), installation.relayState)
  installation.settle('uninstalled', result)
  return result
}

function tellInstalled(
  state: HostState,
  installation: Installation,
  secret: string,
  to: { readonly callbackUrl: string | undefined; readonly pageUrl: string | undefined },
): Promise<LifecycleResult> {
  const document = installable(installation, secret)
  if (to.callbackUrl !== undefined) return callBack(state, 'POST', to.callbackUrl, document)
  if (to.pageUrl !== undefined) return visit(state, to.pageUrl, document, installation.relayState)
  throw new TypeError('the descriptor has no address for this')
}

const installable = (installation: Installation, secret: string | undefined) => ({
  oauthId: installation.oauthId,
  oauthSecret: secret,
  capabilitiesUrl: installation.capabilitiesUrl,
  groupId: installation.group.id,
  roomId: installation.room?.id,
})

async function callBack(
  state: HostState,
  method: 'POST' | 'DELETE',
  url: string,
  document?: object,
): Promise<LifecycleResult> {
  try {
    const { status } = await state.addons.call({
      method,
      url,
      ...(document === undefined
        ? {}
        : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(document) }),
      timeoutMs: state.settings.callbackTimeoutMs,
      maxBytes: 64 * 1024,
    })
    return { ok: status >= 200 && status < 300, status, failure: undefined }
  } catch (error) {
    if (error instanceof AddonCallError) return { ok: false, status: undefined, failure: error.reason }
    throw error
  }
}

function activate(state: HostState, installation: Installation, descriptor: Descriptor, result: LifecycleResult): void {
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

function deactivate(
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
  state.deliveries.drop(webhook => webhook.installation === installation)
}
