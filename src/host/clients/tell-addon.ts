/** What the host tells an add-on of its installation: from server to server, through the user's browser, or both in this order. */

import { AddonCallError } from '../addon-client.ts'
import type { HostState } from '../state.ts'
import { visit } from './browser-flow.ts'
import type { Installation, LifecycleResult } from './installation.ts'

const MAX_ANSWER_BYTES = 64 * 1024
const NOTHING_TO_TELL: LifecycleResult = { ok: true, status: undefined, failure: undefined }

export interface Addresses {
  readonly callbackUrl: string | undefined
  readonly pageUrl: string | undefined
}

/**
 * Of an install or an update. With a callback, its answer decides; else the page does, which must have fetched the document.
 * @throws TypeError when there is no address at all
 */
export async function tellInstalled(
  state: HostState,
  installation: Installation,
  secret: string,
  { callbackUrl, pageUrl }: Addresses,
): Promise<LifecycleResult> {
  const document = installable(installation, secret)
  if (callbackUrl === undefined) {
    if (pageUrl === undefined) throw new TypeError('the descriptor has no address for this')
    return visitAlone(state, pageUrl, document, installation.relayState)
  }
  const told = await callBack(state, 'POST', callbackUrl, document)
  return told.ok && pageUrl !== undefined ? withVisit(state, told, pageUrl, document, installation) : told
}

/** Of its end. */
export async function tellUninstalled(state: HostState, installation: Installation): Promise<LifecycleResult> {
  const { callbackUrl, uninstalledUrl: pageUrl } = installation.descriptor
  const document = installable(installation, undefined)
  if (callbackUrl === undefined) {
    return pageUrl === undefined ? NOTHING_TO_TELL : visitAlone(state, pageUrl, document, installation.relayState)
  }
  const told = await callBack(state, 'DELETE', `${callbackUrl}/${encodeURIComponent(installation.oauthId)}`)
  return pageUrl === undefined ? told : withVisit(state, told, pageUrl, document, installation)
}

const installable = (installation: Installation, secret: string | undefined) => ({
  oauthId: installation.oauthId,
  oauthSecret: secret,
  capabilitiesUrl: installation.capabilitiesUrl,
  groupId: installation.group.id,
  roomId: installation.room?.id,
})

async function visitAlone(
  state: HostState,
  pageUrl: string,
  document: object,
  relayState: string | undefined,
): Promise<LifecycleResult> {
  const visited = await visit(state, pageUrl, document, relayState)
  const status = visited.failure === undefined ? visited.pages.at(-1)?.status : undefined
  const isGood = status !== undefined && status >= 200 && status < 400
  return { ok: isGood && visited.isFetched, status, failure: visited.failure, visit: visited }
}

const withVisit = async (
  state: HostState,
  told: LifecycleResult,
  pageUrl: string,
  document: object,
  { relayState }: Installation,
): Promise<LifecycleResult> => ({ ...told, visit: await visit(state, pageUrl, document, relayState) })

async function callBack(
  state: HostState,
  method: 'POST' | 'DELETE',
  url: string,
  document?: object,
): Promise<LifecycleResult> {
  const content =
    document === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(document) }
  const timeoutMs = state.settings.callbackTimeoutMs
  try {
    const { status } = await state.addons.call({ method, url, ...content, timeoutMs, maxBytes: MAX_ANSWER_BYTES })
    return { ok: status >= 200 && status < 300, status, failure: undefined }
  } catch (error) {
    if (error instanceof AddonCallError) return { ok: false, status: undefined, failure: error.reason }
    throw error
  }
}
