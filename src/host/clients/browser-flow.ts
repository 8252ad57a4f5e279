/**
 * Installing through the user's browser: the add-on's page gets a one-time address of the installation document and sends
 * the browser back. The host plays the browser and follows nothing.
 */

import { AddonCallError } from '../addon-client.ts'
import type { HostState } from '../state.ts'
import type { LifecycleResult } from './installation.ts'

/** Good when the page answers 2xx or 3xx and has fetched the document. */
export async function visit(
  state: HostState,
  page: string,
  document: unknown,
  relayState: string | undefined,
): Promise<LifecycleResult> {
  const ticket = state.random.text(32)
  const url = new URL(page)
  url.searchParams.set('installable_url', `${state.url}/v2/installable/${ticket}`)
  url.searchParams.set('redirect_url', `${state.url}/addons`)
  if (relayState !== undefined) url.searchParams.set('relayState', relayState)
  state.tickets.set(ticket, document)
  try {
    const { status } = await state.addons.call({
      method: 'GET',
      url: url.href,
      timeoutMs: state.settings.callbackTimeoutMs,
      maxBytes: 1024 * 1024,
    })
    return { ok: status >= 200 && status < 400 && !state.tickets.has(ticket), status, failure: undefined }
  } catch (error) {
    if (error instanceof AddonCallError) return { ok: false, status: undefined, failure: error.reason }
    throw error
  } finally {
    state.tickets.delete(ticket)
  }
}
