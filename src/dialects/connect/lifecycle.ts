/**
 * The lifecycle events of a Connect app (protocol s. 2): what each of them changes, and when it is answered.
 *
 * `installed` and `uninstalled` are signed by the product's vendor, `enabled` and `disabled` with the tenant's own secret.
 * Events are ordered by their tokens' `iat`; a token counts once, with one body. A 2xx leaves when the change is durable and
 * no process accepts the state before it.
 */

import type { DialectDeps } from '../../core/dialect.ts'
import { isPartywallError, PartywallError } from '../../core/errors.ts'
import { readJsonBody } from '../../core/json-body.ts'
import type { ChangeResult, KeySource } from '../../core/ports.ts'
import { type IdentityRecord, isLive } from '../../core/tenant.ts'
import type { Answer, RequestView, RoutedRequest } from '../../http/view.ts'
import { NO_CONTENT } from '../common/answers.ts'
import { announce, announceInstall, applyUninstall, type LifecycleListeners } from '../common/lifecycle.ts'
import type { ProvedTokens } from '../common/proved-tokens.ts'
import { installFromBitbucket } from './bitbucket.ts'
import type { CallPace } from './call-pace.ts'
import { attributesJson, checkEventBody, type LifecycleEvent, readInstallBody } from './install-body.ts'
import type { ConnectSettings } from './options.ts'
import { authenticate, identityKey } from './principal.ts'
import { overlapOf } from './secret-overlap.ts'
import { readSignedEvent, type SignedEvent, usedTokenOf } from './signed-lifecycle.ts'
import { attributesOf, type ConnectAttributes } from './tenant.ts'

export interface LifecycleDeps extends DialectDeps, LifecycleListeners {
  readonly settings: ConnectSettings
  readonly keys: KeySource
  /** Of calls to the products, one for all tenants of the app. */
  readonly pace: CallPace
  /** Tokens of this app that came before, of all its tenants. */
  readonly proved: ProvedTokens
  /** Handler name of the deliveries that run `onEnabled`. */
  readonly enableHandler: string
  readonly hasEnableListeners: () => boolean
  /** Runs `onDisabled` for an installation that is about to be disabled; never fails. */
  readonly tellDisabled: (identity: IdentityRecord) => Promise<void>
}

/** An install that keeps what an earlier one said may meet another change of the same identity that often before it gives up. */
const MAX_TRIES = 4
/** Whose word the vendor's key servers vouch for. A site may change its name; it stays within this. */
export const TRUST_DOMAIN = 'atlassian.net'

/** Answers `installed`. @throws what `readSignedEvent` and `readInstallBody` throw; ERR_LIFECYCLE_STALE, ERR_TOKEN_REPLAYED; 503 */
export async function handleInstalled({ view }: RoutedRequest, deps: LifecycleDeps): Promise<Answer> {
  if (deps.settings.family === 'bitbucket') {
    const { result, before, clientKey } = await installFromBitbucket(view, deps)
    return answerChange(result, () => announceInstall(result, before, deps), clientKey)
  }
  const event = await readSignedEvent(view, deps)
  checkEventBody(event.body.value, 'installed', deps.settings)
  const install = readInstallBody(event.body.value, deps.settings)
  for (let tries = 1; ; tries += 1) {
    try {
      const before = await deps.registry.findFresh(identityKey(deps.settings, event.clientKey))
      const overlap = overlapOf(before, install.secret, deps.clock.now(), deps.settings)
      const keepsEarlier = hasEarlierIds(before) || overlap.attributes.previousSecretUntil !== undefined
      const result = await deps.registry.apply({
        kind: 'install',
        ...orderOf(event, 'install', deps),
        host: TRUST_DOMAIN,
        secrets: { secret: install.secret, ...overlap.secrets },
        attributes: attributesJson({ ...withEarlierIds(install.attributes, before), ...overlap.attributes }),
        state: 'installed',
        ...(keepsEarlier ? { expect: before?.version ?? 'absent' } : {}),
      })
      return await answerChange(result, async () => announceInstall(result, before, deps), event.clientKey)
    } catch (error) {
      if (!isPartywallError(error, 'ERR_INSTALL_CONFLICT') || tries === MAX_TRIES) throw error
    }
  }
}

/** Answers `uninstalled`; of an unknown or removed installation without effect. */
export async function handleUninstalled({ view }: RoutedRequest, deps: LifecycleDeps): Promise<Answer> {
  const isBitbucket = deps.settings.family === 'bitbucket'
  const event = isBitbucket ? await readOwnEvent(view, 'uninstalled', deps) : await readSignedEvent(view, deps)
  checkEventBody(event.body.value, 'uninstalled', deps.settings)
  const result = await applyUninstall(orderOf(event, 'uninstall', deps), deps)
  return answerChange(result, async () => undefined, event.clientKey)
}

/** Answers `enabled` and `disabled`, which a disabled installation may still send. */
export async function handleSwitch(
  { view }: RoutedRequest,
  event: 'enabled' | 'disabled',
  deps: LifecycleDeps,
): Promise<Answer> {
  const proved = await readOwnEvent(view, event, deps)
  const { clientKey, before } = proved
  const kind = event === 'enabled' ? 'enable' : 'disable'
  const order = orderOf(proved, kind, deps)
  // Nothing of a disabled installation runs, its listeners neither: they hear while it still does.
  if (kind === 'disable' && isLive(before) && order.at >= before.orderedAt) await deps.tellDisabled(before)
  const result = await deps.registry.apply({ kind, ...order })
  const announcement = { event: 'enabled', handler: deps.enableHandler, payload: {} }
  const isTold = kind === 'enable' && deps.hasEnableListeners()
  return answerChange(
    result,
    async () => (isTold ? announce(result, before, announcement, deps) : undefined),
    clientKey,
  )
}

type Ordered = Pick<SignedEvent, 'clientKey' | 'at' | 'usedToken'>

const orderOf = ({ clientKey, at, usedToken }: Ordered, reason: string, { settings, clock }: LifecycleDeps) => ({
  key: identityKey(settings, clientKey),
  // Not every event of Bitbucket has a token, so its tokens' times order nothing.
  ...(settings.family === 'bitbucket' ? { at: clock.now(), isOrderedByArrival: true } : { at }),
  reason,
  usedToken,
})

/** An event signed with the tenant's own secret, for this very tenant. */
async function readOwnEvent(view: RequestView, event: LifecycleEvent, deps: LifecycleDeps) {
  const isInstalled = ({ state }: IdentityRecord) => state !== 'uninstalled' && state !== 'retired'
  const principal = await authenticate(view, deps, 'request', isInstalled)
  const { identity, token, issuedAt, expiresAt } = principal
  const body = await readJsonBody(view)
  const clientKey = checkEventBody(body.value, event, deps.settings)
  if (clientKey !== identity.externalId) throw new PartywallError('ERR_TENANT_MISMATCH')
  const usedToken = usedTokenOf(token, body, expiresAt + deps.settings.leewaySeconds)
  return { clientKey, body, at: issuedAt * 1000, usedToken, before: identity }
}

async function answerChange(result: ChangeResult, then: () => Promise<void>, tenant: string): Promise<Answer> {
  if (result.outcome === 'stale') throw new PartywallError('ERR_LIFECYCLE_STALE')
  await then()
  await result.settled()
  return { ...NO_CONTENT, tenant }
}

const hasEarlierIds = (before: IdentityRecord | undefined): boolean =>
  before !== undefined && attributesOf(before).installationId !== undefined

/** A product that leaves out an id it gave before has not taken it back: it stays, marked as unconfirmed (protocol s. 2.2). */
function withEarlierIds(now: ConnectAttributes, before: IdentityRecord | undefined): ConnectAttributes {
  const earlier = before === undefined ? undefined : attributesOf(before).installationId
  if (now.installationId !== undefined || earlier === undefined) return now
  return { ...now, installationId: earlier, isInstallationIdUnconfirmed: true }
}
