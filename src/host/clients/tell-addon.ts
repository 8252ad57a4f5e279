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
  installation.noteVisit(undefined)
  if (callbackUrl === undefined) {
    if (pageUrl === undefined) throw new TypeError('the descriptor has no address for this')
    return sendBrowser(state, installation, pageUrl, document)
  }
  const told = await callBack(state, 'POST', callbackUrl, document)
  if (told.ok && pageUrl !== undefined) await sendBrowser(state, installation, pageUrl, document)
  return told
}

/** Of its end. */
export async function tellUninstalled(state: HostState, installation: Installation): Promise<LifecycleResult> {
  const { callbackUrl, uninstalledUrl: pageUrl } = installation.descriptor
  const document = installable(installation, undefined)
  installation.noteVisit(undefined)
  if (callbackUrl === undefined) {
    return pageUrl === undefined ? NOTHING_TO_TELL : sendBrowser(state, installation, pageUrl, document)
  }
  const told = await callBack(state, 'DELETE', `${callbackUrl}/${encodeURIComponent(installation.oauthId)}`)
  if (pageUrl !== undefined) await sendBrowser(state, installation, pageUrl, document)
  return told
}

const installable = (installation: Installation, secret: string | undefined) => ({
  oauthId: installation.oauthId,
  oauthSecret: secret,
  capabilitiesUrl: installation.capabilitiesUrl,
  groupId: installation.group.id,
  roomId: installation.room?.id,
})

/** The add-on's own answer is its first page's; the rest of the way must be good as well. */
async function sendBrowser(
  state: HostState,
  installation: Installation,
  pageUrl: string,
  document: object,
): Promise<LifecycleResult> {
  const visited = await visit(state, pageUrl, document, installation.relayState)
  installation.noteVisit(visited)
  const { pages, failure, isFetched } = visited
  const isGood = failure === undefined && pages.every(({ status }) => status >= 200 && status < 400)
  return { ok: isGood && isFetched, status: failure === undefined ? pages[0]?.status : undefined, failure }
}

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
