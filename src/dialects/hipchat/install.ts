/**
 * Installation and update (protocol A4.1 to A4.3): what arrives is unsigned, so only the host's word counts, whichever way it
 * came.
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
import { NO_CONTENT } from '../common/answers.ts'
import { announceInstall } from '../common/lifecycle.ts'
import type { Arrival } from './announcement.ts'
import { fetchCapabilities } from './capabilities.ts'
import { checkHostUrl } from './host-address.ts'
import type { LifecycleDeps } from './lifecycle.ts'
import { identityKey } from './principal.ts'
import { attributesOf, type HipchatAttributes, type TenantLinks } from './tenant.ts'
import { forgetTenantWebhooks } from './tenant-webhooks.ts'
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
export type Installable = z.output<typeof installShape>

/** What the host has confirmed. */
export interface Proof {
  readonly body: Installable
  readonly host: string
  readonly links: TenantLinks
}

/** A confirmed installation may meet another change of the same identity that often before it gives up. */
const MAX_TRIES = 4

/**
 * Answers `POST <installable>`, for first installs and updates alike.
 * @throws PartywallError what `install` throws
 */
export async function handleInstall({ view }: RoutedRequest, deps: LifecycleDeps): Promise<Answer> {
  return { ...NO_CONTENT, tenant: await install((await readJsonBody(view)).value, deps) }
}

/**
 * Proves an installation and stores it.
 * @param value  the installation document, as it came
 * @returns the `oauthId`, once the change is durable and no process accepts the state before it
 * @throws PartywallError ERR_INSTALL_INVALID, and what `proveAndStore` throws
 */
export async function install(value: unknown, deps: LifecycleDeps, arrival: Arrival = {}): Promise<string> {
  const body = readInstallable(value)
  await proveAndStore(body, deps, arrival)
  return body.oauthId
}

/**
 * The same for a document that has been read.
 * @throws PartywallError ERR_INSTALL_HOST_REFUSED, ERR_INSTALL_DOCUMENT_INVALID, ERR_INSTALL_TOKEN_REFUSED,
 *   ERR_INSTALL_GROUP_MISMATCH, ERR_INSTALL_CONFLICT; 503 when host or store cannot be reached
 */
export async function proveAndStore(body: Installable, deps: LifecycleDeps, arrival: Arrival): Promise<ChangeResult> {
  const url = checkHostUrl(body.capabilitiesUrl, 'capabilitiesUrl', deps.settings)
  checkOrigin(url, arrival)
  const key = identityKey(deps.settings, body.oauthId)
  let present = await deps.registry.findFresh(key)
  checkBinding(present, body, url.host)
  const proof = { body, host: url.host, links: await fetchCapabilities(url, body.capabilitiesUrl, deps) }

  for (let tries = 1; ; tries += 1) {
    // Asked again in each round: of two secrets that were both honoured a moment ago, the host honours one.
    await confirm(proof, present, deps)
    try {
      return await commit(changeOf(proof, present, deps, arrival), present, arrival, deps)
    } catch (error) {
      if (!isPartywallError(error, 'ERR_INSTALL_CONFLICT') || tries === MAX_TRIES) throw error
      const now = await deps.registry.findFresh(key)
      if (now?.version === present?.version) throw error
      present = now
      checkBinding(present, body, url.host)
    }
  }
}

/** A document speaks for the host that served it, and for no other one on the list. */
function checkOrigin(url: URL, { origin }: Arrival): void {
  if (origin === undefined || origin === url.origin) return
  throw new PartywallError('ERR_INSTALL_HOST_REFUSED', { details: { host: url.host, servedBy: origin } })
}

/** @throws PartywallError ERR_INSTALL_INVALID with the path that is wrong, never its value */
export function readInstallable(value: unknown): Installable {
  const read = installShape.safeParse(value)
  if (read.success) return read.data
  throw new PartywallError('ERR_INSTALL_INVALID', { details: { path: read.error.issues[0]?.path.join('.') } })
}

/** An identity stays with the host, and the document, that installed it first. @throws PartywallError ERR_INSTALL_CONFLICT */
export function checkBinding(present: IdentityRecord | undefined, body: Installable, host: string): void {
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

/** The change that makes an installation what `proof` says, if the identity is still what it was. */
export function changeOf(
  proof: Proof,
  present: IdentityRecord | undefined,
  deps: LifecycleDeps,
  { isImport = false }: Arrival,
): TenantChange {
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
    reason: isImport ? 'import' : reasonOf(present),
    host,
    secrets: { secret: body.oauthSecret },
    initialSecrets: { webhookToken: deps.random.bytes(16).toString('base64url') },
    attributes: attributes as unknown as JsonObject,
    state: 'installed',
    expect: present?.version ?? 'absent',
  }
}

const reasonOf = (present: IdentityRecord | undefined) => (present === undefined ? 'install' : 'update')

async function commit(
  change: TenantChange,
  before: IdentityRecord | undefined,
  arrival: Arrival,
  deps: LifecycleDeps,
): Promise<ChangeResult> {
  const result = await deps.registry.apply(change)
  if (result.outcome === 'stale') throw new PartywallError('ERR_LIFECYCLE_STALE')
  if (result.outcome === 'restored' && result.identity !== undefined) await forgetTenantWebhooks(result.identity, deps)
  const { relayState, isImport } = arrival
  if (isImport !== true) await announceInstall(result, before, deps, relayState === undefined ? {} : { relayState })
  await result.settled()
  return result
}

function isSameSecret(present: IdentityRecord, body: Installable): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(present.secrets.get('secret') ?? ''), digest(body.oauthSecret))
}
