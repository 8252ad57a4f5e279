/**
 * Installation and update (protocol A4.1, A4.3): the request is unsigned, so only the host's word counts.
 *
 * Order: body, allowed host, bound host, the host's document, the host's token endpoint; only then the registry. A 2xx leaves
 * when the change is durable and no process accepts the state before it.
 */

import { createHash, timingSafeEqual } from 'node:crypto'
import * as z from 'zod'
import { isPartywallError, PartywallError } from '../../core/errors.ts'
import { readJsonBody } from '../../core/json-body.ts'
import type { ChangeResult, TenantChange } from '../../core/ports.ts'
import type { IdentityRecord, JsonObject } from '../../core/tenant.ts'
import type { Answer, RoutedRequest } from '../../http/view.ts'
import { hs256Key } from '../../wire/jws.ts'
import type { GrantedToken } from '../../wire/oauth2.ts'
import { NO_CONTENT } from './answers.ts'
import { checkCapabilitiesUrl, fetchCapabilities } from './capabilities.ts'
import type { LifecycleDeps } from './lifecycle.ts'
import { identityKey } from './principal.ts'
import { attributesOf, type HipchatAttributes, type TenantLinks } from './tenant.ts'
import { askForToken } from './token-endpoint.ts'

const installShape = z.object({
  // Basic authentication cannot carry a colon or control characters apart, and the uninstall path no slash and no dots alone:
  // what could never be removed is not installed.
  oauthId: z
    .string()
    .min(1)
    .max(255)
    .regex(/^(?!\.{1,2}$)[^:/\\\p{Cc}\p{Surrogate}]+$/u),
  oauthSecret: z
    .string()
    .max(1_024)
    .regex(/^[^\p{Cc}\p{Surrogate}]+$/u)
    .refine(secret => hs256Key(secret) !== undefined),
  capabilitiesUrl: z.string().max(2_048),
  groupId: z.int(),
  roomId: z.int().nullish(),
})
type Installable = z.output<typeof installShape>

/** What the host has confirmed. */
interface Proof {
  readonly body: Installable
  readonly host: string
  readonly links: TenantLinks
}

/** A confirmed installation may meet another change of the same identity that often before it gives up. */
const MAX_TRIES = 4

/**
 * Answers `POST <installable>`, for first installs and updates alike.
 * @throws PartywallError ERR_INSTALL_INVALID, ERR_INSTALL_HOST_REFUSED, ERR_INSTALL_DOCUMENT_INVALID, ERR_INSTALL_TOKEN_REFUSED,
 *   ERR_INSTALL_GROUP_MISMATCH, ERR_INSTALL_CONFLICT; 503 when host or store cannot be reached
 */
export async function handleInstall({ view }: RoutedRequest, deps: LifecycleDeps): Promise<Answer> {
  const body = readInstallable((await readJsonBody(view)).value)
  const url = checkCapabilitiesUrl(body.capabilitiesUrl, deps.settings)
  const key = identityKey(deps.settings, body.oauthId)
  let present = await deps.registry.findFresh(key)
  checkBinding(present, body, url.host)
  const proof = { body, host: url.host, links: await fetchCapabilities(url, body.capabilitiesUrl, deps) }

  for (let tries = 1; ; tries += 1) {
    // Asked again in each round: of two secrets that were both honoured a moment ago, the host honours one.
    await confirm(proof, present, deps)
    try {
      await commit(changeOf(proof, present, deps), present, deps)
      return { ...NO_CONTENT, tenant: body.oauthId }
    } catch (error) {
      if (!isPartywallError(error, 'ERR_INSTALL_CONFLICT') || tries === MAX_TRIES) throw error
      const now = await deps.registry.findFresh(key)
      if (now?.version === present?.version) throw error
      present = now
      checkBinding(present, body, url.host)
    }
  }
}

function readInstallable(value: unknown): Installable {
  const read = installShape.safeParse(value)
  if (read.success) return read.data
  throw new PartywallError('ERR_INSTALL_INVALID', { details: { path: read.error.issues[0]?.path.join('.') } })
}

/** An identity stays with the host, and the document, that installed it first. */
function checkBinding(present: IdentityRecord | undefined, body: Installable, host: string): void {
  if (present === undefined) return
  const isBound = present.host === host && attributesOf(present).links.capabilities === body.capabilitiesUrl
  if (!isBound) throw new PartywallError('ERR_INSTALL_CONFLICT', { details: { host, boundHost: present.host } })
}

async function confirm(proof: Proof, present: IdentityRecord | undefined, deps: LifecycleDeps): Promise<void> {
  const { body, links } = proof
  const credentials = { id: body.oauthId, secret: body.oauthSecret, tokenUrl: links.token }
  const answer = await askForToken(credentials, deps.settings.scopes, deps)
  switch (answer.kind) {
    case 'token':
      checkGroup(body, answer.token)
      return
    case 'refused':
      throw new PartywallError(
        present !== undefined && !isSameSecret(present, body) ? 'ERR_INSTALL_CONFLICT' : 'ERR_INSTALL_TOKEN_REFUSED',
        { details: { status: answer.status, error: answer.error } },
      )
    default:
      throw new PartywallError('ERR_OUTBOUND_UNREACHABLE', {
        message: 'the token endpoint cannot answer now',
        ...(answer.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: answer.retryAfterSeconds }),
      })
  }
}

function checkGroup({ groupId }: Installable, { facts }: GrantedToken): void {
  const group = facts.group_id
  if (group === undefined || group === null || String(group) === String(groupId)) return
  throw new PartywallError('ERR_INSTALL_GROUP_MISMATCH')
}

function changeOf(proof: Proof, present: IdentityRecord | undefined, deps: LifecycleDeps): TenantChange {
  const { body, host, links } = proof
  const attributes: HipchatAttributes = {
    group: body.groupId,
    ...(typeof body.roomId === 'number' ? { room: body.roomId } : {}),
    links,
    scopes: deps.settings.scopes,
  }
  return {
    kind: 'install',
    key: identityKey(deps.settings, body.oauthId),
    at: deps.clock.now(),
    isOrderedByArrival: true,
    reason: present === undefined ? 'install' : 'update',
    host,
    secrets: { secret: body.oauthSecret },
    initialSecrets: { webhookToken: deps.random.bytes(16).toString('base64url') },
    attributes: attributes as unknown as JsonObject,
    state: 'installed',
    expect: present?.version ?? 'absent',
  }
}

async function commit(change: TenantChange, before: IdentityRecord | undefined, deps: LifecycleDeps): Promise<void> {
  const result = await deps.registry.apply(change)
  if (result.outcome === 'stale') throw new PartywallError('ERR_LIFECYCLE_STALE')
  await announce(result, before, deps)
  await result.settled()
}

/** A host that saw no 2xx sends the same installation again within this time. */
const RETRY_WINDOW_MS = 3_600_000

/** The listeners' work is a delivery like any other: durable before the 2xx, once per version of the identity, retried. */
async function announce(
  { outcome, identity }: ChangeResult,
  before: IdentityRecord | undefined,
  deps: LifecycleDeps,
): Promise<void> {
  if (identity === undefined || !deps.hasInstallListeners()) return
  // Unchanged: perhaps a process died between commit and delivery. The retry key makes it once.
  if (outcome === 'unchanged' && deps.clock.now() - (before?.orderedAt ?? 0) > RETRY_WINDOW_MS) return
  const retryKey = createHash('sha256').update(`installed ${identity.uid} ${identity.version}`).digest()
  await deps.binder.run(identity, context =>
    deps.inbox.accept(context, { handler: deps.installHandler, payload: JSON.stringify({ outcome }), retryKey }),
  )
}

function isSameSecret(present: IdentityRecord, body: Installable): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(present.secrets.get('secret') ?? ''), digest(body.oauthSecret))
}
