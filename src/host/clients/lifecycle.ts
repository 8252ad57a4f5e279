/** Install, update and uninstall: what the host does, in the documented order. */

import { DescriptorError } from '../descriptor-document.ts'
import { extensionsIn } from '../extensions/find.ts'
import { queryGlance } from '../glances/query.ts'
import { groupRecord } from '../groups/group.ts'
import type { HostGroup, HostRoom } from '../model.ts'
import { open } from '../pages/open.ts'
import { roomRecord } from '../rooms/room.ts'
import type { HostState } from '../state.ts'
import { authorize } from './authorize.ts'
import {
  Installation,
  type InstallationActions,
  type LifecycleResult,
  type UninstallOptions,
  type UpdateOptions,
} from './installation.ts'
import { loadDescriptor } from './load-descriptor.ts'
import { signRequest } from './sign-request.ts'
import { activate, deactivate } from './standing.ts'
import { tellInstalled, tellUninstalled } from './tell-addon.ts'

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
  const facts = {
    oauthId: state.random.uuid(),
    oauthSecret: state.random.text(40),
    source,
    descriptor,
    group,
    room,
    relayState: target.relayState,
    capabilitiesUrl: `${state.url}/v2/capabilities`,
  }
  const installation = new Installation(facts, actionsOn(state))
  state.clients.set(installation.oauthId, installation)
  const result = await tellInstalled(state, installation, installation.oauthSecret, {
    callbackUrl: descriptor.callbackUrl,
    pageUrl: descriptor.installedUrl,
  })
  if (result.ok) activate(state, installation, descriptor, result)
  else deactivate(state, installation, 'failed', result)
  return installation
}

const actionsOn = (state: HostState): InstallationActions => ({
  update: (one, options) => update(state, one, options),
  uninstall: (one, options) => uninstall(state, one, options),
  signRequest: (one, claims, subject) => signRequest(state, one, claims, subject),
  authorize: (one, options) => authorize(state, one, options),
  extensions: (one, room) => extensionsIn(state, one, room),
  open: (one, opening, options) => open(state, one, opening, options),
  queryGlance: (one, key, subject) => queryGlance(state, one, key, subject),
  glance: (one, key, viewer) => state.glances.newest(one, key, viewer),
})

async function update(state: HostState, installation: Installation, options: UpdateOptions): Promise<Installation> {
  const { source, group, room, relayState } = installation
  const before = installation.state
  if (before === 'failed' || before === 'installing') throw new TypeError(`the installation is ${before}`)
  const descriptor = await loadDescriptor(state.addons, source, state.settings.callbackTimeoutMs)
  if (descriptor.callbackUrl !== undefined && descriptor.updateCallbackUrl === undefined) {
    deactivate(state, installation, 'uninstalled', undefined)
    return install(state, source, { group, ...(room && { room }), ...(relayState && { relayState }) })
  }
  const isRotated = options.rotateSecret === true || before === 'uninstalled'
  const secret = isRotated ? state.random.text(40) : installation.oauthSecret
  if (isRotated) installation.offerSecret(secret)
  state.clients.set(installation.oauthId, installation)
  const result = await tellInstalled(state, installation, secret, {
    callbackUrl: descriptor.updateCallbackUrl,
    pageUrl: descriptor.updatedUrl,
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
  deactivate(state, installation, 'uninstalled', undefined)
  if (options.tellAddon === false) return { ok: true, status: undefined, failure: undefined }
  const result = await tellUninstalled(state, installation)
  installation.settle('uninstalled', result)
  return result
}
