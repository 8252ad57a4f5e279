/** Opens an app's page as a browser does, as far as one request goes. */

import type { ConnectInstallation } from '../apps/installation.ts'
import type { ConnectState } from '../state.ts'
import { type PageAddress, pageUrl } from './page-url.ts'

export type { PageAddress } from './page-url.ts'

export interface OpenedAppPage {
  readonly url: string
  readonly status: number
  /** By lower-case name. */
  header(name: string): string | undefined
  readonly body: string
}

const MAX_PAGE_BYTES = 1024 * 1024

/** @throws TypeError when there is no such page · AddonCallError when no complete answer came */
export async function openPage(
  state: ConnectState,
  installation: ConnectInstallation,
  address: PageAddress,
): Promise<OpenedAppPage> {
  const url = pageUrl(state, installation, address)
  const headers = { accept: 'text/html' }
  const timeoutMs = state.settings.callbackTimeoutMs
  const answer = await state.apps.call({ method: 'GET', url, headers, timeoutMs, maxBytes: MAX_PAGE_BYTES })
  return { url, ...answer }
}
