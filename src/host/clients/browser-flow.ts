/**
 * Lifecycle through the user's browser: the add-on's page gets a one-time address of the installation document and sends the
 * browser back. The host plays the browser: it follows redirects, wherever they lead, and notes the way.
 */

import { AddonCallError, type CallFailure } from '../addon-client.ts'
import type { HostState } from '../state.ts'

/** Where the browser was. */
export interface BrowserVisit {
  /** Every page on the way, the add-on's first. */
  readonly pages: readonly { readonly url: string; readonly status: number }[]
  /** The add-on has asked for the installation document. */
  readonly isFetched: boolean
  /** The way ended at the `redirect_url` that the add-on was given. */
  readonly isBack: boolean
  /** Why the last page did not come. */
  readonly failure: CallFailure | undefined
}

/** A browser gives up after 20; nothing honest needs as many. */
const MAX_PAGES = 10
const MAX_PAGE_BYTES = 1024 * 1024

/** @param document what `installable_url` answers, once */
export async function visit(
  state: HostState,
  page: string,
  document: unknown,
  relayState: string | undefined,
): Promise<BrowserVisit> {
  const ticket = state.random.text(32)
  const redirectUrl = `${state.url}/addons`
  const url = new URL(page)
  url.searchParams.set('installable_url', `${state.url}/v2/installable/${ticket}`)
  url.searchParams.set('redirect_url', redirectUrl)
  if (relayState !== undefined) url.searchParams.set('relayState', relayState)
  state.tickets.set(ticket, document)
  try {
    const { pages, failure } = await browse(state, url)
    return { pages, failure, isFetched: !state.tickets.has(ticket), isBack: pages.at(-1)?.url === redirectUrl }
  } finally {
    state.tickets.delete(ticket)
  }
}

async function browse(state: HostState, start: URL): Promise<Pick<BrowserVisit, 'pages' | 'failure'>> {
  const pages: { url: string; status: number }[] = []
  try {
    for (let next: URL | undefined = start; next !== undefined; ) {
      if (pages.length === MAX_PAGES) return { pages, failure: 'unreachable' }
      const href: string = next.href
      const timeoutMs = state.settings.callbackTimeoutMs
      const { status, header } = await state.addons.call({
        method: 'GET',
        url: href,
        timeoutMs,
        maxBytes: MAX_PAGE_BYTES,
      })
      pages.push({ url: href, status })
      next = status >= 300 && status < 400 ? target(header('location'), href) : undefined
    }
    return { pages, failure: undefined }
  } catch (error) {
    if (error instanceof AddonCallError) return { pages, failure: error.reason }
    throw error
  }
}

/** `undefined` where a browser would stay: no address, or none of the web. */
function target(location: string | undefined, base: string): URL | undefined {
  if (location === undefined || !URL.canParse(location, base)) return undefined
  const url = new URL(location, base)
  return /^https?:$/.test(url.protocol) ? url : undefined
}
