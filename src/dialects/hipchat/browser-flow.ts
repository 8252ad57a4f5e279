/**
 * Lifecycle through the user's browser (protocol A4.2, A4.4): the browser brings a one-time address of the installation document
 * and the address to go back to. Anybody can make such a request, so the document comes from an allowed host, is proved like any
 * other, and the browser goes back to that host alone.
 *
 * The document can be fetched once: it is asked for when all else is known to be right, and never again.
 */

import * as z from 'zod'
import { PartywallError } from '../../core/errors.ts'
import type { Answer, RoutedRequest } from '../../http/view.ts'
import { redirectAnswer } from '../common/answers.ts'
import { checkHostUrl, parseAddress } from './host-address.ts'
import { type Flaw, fetchHostDocument } from './host-document.ts'
import { install } from './install.ts'
import type { LifecycleDeps } from './lifecycle.ts'
import { removeInstallation } from './uninstall.ts'

interface Visit {
  /** Where the document is; on an allowed host. */
  readonly document: URL
  /** On the same origin. */
  readonly back: URL
  readonly relayState: string | undefined
}

const MAX_RELAY_STATE = 2_048
const removalShape = z.object({ oauthId: z.string() })

/**
 * Answers `GET <installed>` and `GET <updated>`: 303 back to the host once the installation is durable.
 * @throws PartywallError ERR_INSTALL_INVALID, ERR_INSTALL_HOST_REFUSED, ERR_REDIRECT_REFUSED before anything is fetched;
 *   ERR_INSTALLABLE_GONE; what `install` throws
 */
export async function handleInstalledPage(request: RoutedRequest, deps: LifecycleDeps): Promise<Answer> {
  const { document, back, relayState } = readVisit(request, deps)
  const value = await fetchInstallable(document, deps)
  const arrival = { origin: document.origin, ...(relayState === undefined ? {} : { relayState }) }
  return { ...redirectAnswer(back), tenant: await install(value, deps, arrival) }
}

/**
 * Answers `GET <uninstalled>`: 303 back to the host once the removal is durable. The document says which installation is meant;
 * whether it has ended, its bound host is asked, as for any removal.
 * @throws PartywallError what `handleInstalledPage` throws before and while it fetches; what `removeInstallation` throws
 */
export async function handleUninstalledPage(request: RoutedRequest, deps: LifecycleDeps): Promise<Answer> {
  const { document, back } = readVisit(request, deps)
  const read = removalShape.safeParse(await fetchInstallable(document, deps))
  if (!read.success) throw invalid('oauthId')
  const { oauthId } = read.data
  await removeInstallation(oauthId, deps, document.host)
  return { ...redirectAnswer(back), tenant: oauthId }
}

function readVisit({ view, query }: RoutedRequest, deps: LifecycleDeps): Visit {
  // What only looks at a page must not use up the address.
  if (view.method !== 'GET') throw new PartywallError('ERR_METHOD_NOT_ALLOWED')
  const parameters = new URLSearchParams(query)
  const document = checkHostUrl(required(parameters, 'installable_url'), 'installable_url', deps.settings)
  const back = parseAddress(required(parameters, 'redirect_url'), 'redirect_url', 'ERR_REDIRECT_REFUSED')
  if (back.origin !== document.origin) throw new PartywallError('ERR_REDIRECT_REFUSED', { details: { to: back.host } })
  const relayState = single(parameters, 'relayState')
  if (relayState !== undefined && relayState.length > MAX_RELAY_STATE) throw invalid('relayState')
  return { document, back, relayState }
}

const fetchInstallable = (url: URL, deps: LifecycleDeps): Promise<unknown> =>
  fetchHostDocument(url, deps, (flaw: Flaw) => {
    if (flaw.kind !== 'status') return invalid(flaw.kind)
    return new PartywallError('ERR_INSTALLABLE_GONE', { details: { host: url.host, status: flaw.status } })
  })

function required(parameters: URLSearchParams, name: string): string {
  const value = single(parameters, name)
  if (value === undefined || value === '') throw invalid(name)
  return value
}

/** Of two values nobody knows which one the other side goes by. */
function single(parameters: URLSearchParams, name: string): string | undefined {
  const [value, second] = parameters.getAll(name)
  if (second !== undefined) throw invalid(name)
  return value
}

const invalid = (field: string) => new PartywallError('ERR_INSTALL_INVALID', { details: { field } })
