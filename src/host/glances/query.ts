/** Asks an add-on for a glance's content, as the user's browser does: from a page of the host, so with CORS. */

import { type AddonAnswer, AddonCallError } from '../addon-client.ts'
import type { Installation, TokenSubject } from '../clients/installation.ts'
import { signRequest } from '../clients/sign-request.ts'
import { findExtension } from '../extensions/find.ts'
import { FieldError } from '../fields.ts'
import type { HostState } from '../state.ts'
import { type GlanceContent, parseGlanceContent } from './content.ts'

const MAX_GLANCE_BYTES = 64 * 1024

/** The glance shows nothing new. */
export class GlanceError extends Error {
  /** `cors`: the browser would not have let the host's page read the answer. */
  readonly reason: 'unreachable' | 'cors' | 'status' | 'invalid'
  constructor(reason: GlanceError['reason'], message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'GlanceError'
    this.reason = reason
  }
}

/** @throws GlanceError · TypeError when there is no such glance or it has no `queryUrl` */
export async function queryGlance(
  state: HostState,
  installation: Installation,
  key: string,
  subject: TokenSubject,
): Promise<GlanceContent> {
  const { user = installation.group.owner, room = installation.room } = subject
  const glance = findExtension(state, installation, room, 'glance', key)
  if (glance.kind !== 'glance' || glance.queryUrl === undefined) throw new TypeError(`${key} has no queryUrl`)
  const url = new URL(glance.queryUrl)
  url.searchParams.set('signed_request', signRequest(state, installation, {}, subject))
  const content = read(await ask(state, url.href))
  state.glances.set(installation, key, { room, user: user ?? undefined }, content)
  return content
}

async function ask(state: HostState, url: string): Promise<AddonAnswer> {
  try {
    const answer = await state.addons.call({
      method: 'GET',
      url,
      headers: { origin: state.url, accept: 'application/json' },
      timeoutMs: state.settings.callbackTimeoutMs,
      maxBytes: MAX_GLANCE_BYTES,
    })
    const allowed = answer.header('access-control-allow-origin')
    if (new URL(url).origin !== state.url && allowed !== '*' && allowed !== state.url) {
      throw new GlanceError('cors', `Access-Control-Allow-Origin is ${allowed ?? 'missing'}`)
    }
    return answer
  } catch (error) {
    if (error instanceof AddonCallError) throw new GlanceError('unreachable', error.message, error)
    throw error
  }
}

function read(answer: AddonAnswer): GlanceContent {
  if (answer.status !== 200) throw new GlanceError('status', `the glance answers ${answer.status}`)
  try {
    return parseGlanceContent(JSON.parse(answer.body), 'the glance')
  } catch (error) {
    if (error instanceof FieldError || error instanceof SyntaxError) {
      throw new GlanceError('invalid', error.message, error)
    }
    throw error
  }
}
