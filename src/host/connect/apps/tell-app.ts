/** One lifecycle call to an app: body, token, answer (protocol s. 2 and 3; Bitbucket's own way, s. 4.7). */

import { AddonCallError } from '../../addon-client.ts'
import type { ConnectState } from '../state.ts'
import { type SignedTarget, signInstall, signRequest } from '../tokens/sign.ts'
import type { LifecycleEvent } from './descriptor.ts'
import type { AppLifecycleResult, ConnectInstallation, SendOptions } from './installation.ts'

const MAX_ANSWER_BYTES = 64 * 1024
const ASYMMETRIC: readonly LifecycleEvent[] = ['installed', 'uninstalled']

/** @param precedingSecret what signs where Bitbucket signs; `null` on a first install */
export async function tellApp(
  state: ConnectState,
  installation: ConnectInstallation,
  event: LifecycleEvent,
  { query, ...options }: SendOptions = {},
  precedingSecret: string | null = installation.sharedSecret,
): Promise<AppLifecycleResult> {
  const path = installation.descriptor.lifecycle[event]
  const body = { ...lifecycleBody(installation, event), ...options.body }
  if (path === undefined) {
    return note(installation, { event, ok: true, status: undefined, failure: undefined, token: undefined, body })
  }
  const url = `${installation.appUrl}${path}${query === undefined ? '' : `?${query}`}`
  const token = await tokenOf(state, installation, event, { method: 'POST', url }, options.token, precedingSecret)
  return note(installation, { event, token, body, ...(await post(state, url, token, body)) })
}

function note(installation: ConnectInstallation, result: AppLifecycleResult): AppLifecycleResult {
  installation.results.push(result)
  return result
}

async function tokenOf(
  state: ConnectState,
  installation: ConnectInstallation,
  event: LifecycleEvent,
  target: SignedTarget,
  asked: SendOptions['token'],
  precedingSecret: string | null,
): Promise<string | undefined> {
  if (typeof asked === 'object') return asked.text
  if (asked === 'none' || installation.descriptor.authentication === 'none') return undefined
  if (installation.product.type === 'bitbucket') {
    if (precedingSecret === null) return undefined
    return signRequest(state, installation, target, { secret: precedingSecret })
  }
  return ASYMMETRIC.includes(event)
    ? signInstall(state, installation, target)
    : signRequest(state, installation, target)
}

async function post(state: ConnectState, url: string, token: string | undefined, body: object) {
  const headers = {
    'content-type': 'application/json',
    ...(token === undefined ? {} : { authorization: `JWT ${token}` }),
  }
  const timeoutMs = state.settings.callbackTimeoutMs
  try {
    const content = { url, headers, body: JSON.stringify(body) }
    const { status } = await state.apps.call({ method: 'POST', ...content, timeoutMs, maxBytes: MAX_ANSWER_BYTES })
    return { ok: status >= 200 && status < 300, status, failure: undefined }
  } catch (error) {
    if (error instanceof AddonCallError) return { ok: false, status: undefined, failure: error.reason }
    throw error
  }
}

/** Protocol s. 2.1; the secret is in `installed` alone. */
export function lifecycleBody(installation: ConnectInstallation, event: LifecycleEvent): Record<string, unknown> {
  const { appKey, clientKey, baseUrl, product, descriptor, sharedSecret, oauthClientId, installationId } = installation
  const isPaid = descriptor.isPaid && installation.licence === 'active'
  const entitlement = { entitlementId: `E-${clientKey}`, entitlementNumber: `N-${clientKey}` }
  return {
    key: appKey,
    clientKey,
    ...(event === 'installed' && descriptor.authentication === 'jwt' && { sharedSecret }),
    ...(oauthClientId !== undefined && { oauthClientId }),
    serverVersion: '1001.0.0-SNAPSHOT',
    pluginsVersion: '1.1000.0',
    baseUrl,
    displayUrl: baseUrl,
    displayUrlServicedeskHelpCenter: baseUrl,
    productType: product.type,
    description: `The simulated ${product.type} of ${product.site.name}`,
    ...(isPaid && entitlement),
    cloudId: product.site.cloudId,
    ...(installationId !== undefined && { installationId }),
    eventType: event,
  }
}
