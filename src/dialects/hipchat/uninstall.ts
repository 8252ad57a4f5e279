/**
 * Removal (protocol A4.4): the request is unsigned and ids are known to many browsers, so the bound host is asked first. As
 * long as it issues tokens for what we have stored, the request is forged.
 */

import { isPartywallError, PartywallError } from '../../core/errors.ts'
import type { IdentityRecord } from '../../core/tenant.ts'
import type { Answer, RoutedRequest } from '../../http/view.ts'
import { NO_CONTENT } from '../common/answers.ts'
import { endInstallation, type LifecycleDeps } from './lifecycle.ts'
import { identityKey } from './principal.ts'
import { attributesOf } from './tenant.ts'
import { askForToken, provesRemoval } from './token-endpoint.ts'

const MAX_TRIES = 4

/**
 * Answers `DELETE <installable>/:oauthId`; the same removal again is a 204 without effect.
 * @throws PartywallError what `removeInstallation` throws
 */
export async function handleUninstall({ params }: RoutedRequest, deps: LifecycleDeps): Promise<Answer> {
  const oauthId = params.oauthId ?? ''
  await removeInstallation(oauthId, deps)
  return { ...NO_CONTENT, tenant: oauthId }
}

/**
 * Removes an installation if its bound host says that it has ended. Resolves when the removal is durable, also one from before.
 * @param host  where the request says it comes from: another one than the bound host is not asked to speak for it
 * @throws PartywallError ERR_INSTALLATION_UNKNOWN (404), ERR_INSTALL_HOST_REFUSED, ERR_UNINSTALL_REFUSED (403); 503 when host or
 *   store cannot be reached
 */
export async function removeInstallation(oauthId: string, deps: LifecycleDeps, host?: string): Promise<void> {
  const key = identityKey(deps.settings, oauthId)
  for (let tries = 1; ; tries += 1) {
    const identity = await findStorable(key, deps)
    if (identity === undefined) throw new PartywallError('ERR_INSTALLATION_UNKNOWN')
    if (host !== undefined && host !== identity.host) {
      throw new PartywallError('ERR_INSTALL_HOST_REFUSED', { details: { host, boundHost: identity.host } })
    }
    if (identity.state !== 'uninstalled' && identity.state !== 'retired') await requireRemoval(identity, deps)
    try {
      await endInstallation(identity, 'uninstall', deps)
      return
    } catch (error) {
      // Re-installed meanwhile: what the host refused were older credentials, so it is asked about the new ones.
      if (!isPartywallError(error, 'ERR_INSTALL_CONFLICT') || tries === MAX_TRIES) throw error
    }
  }
}

async function requireRemoval(identity: IdentityRecord, deps: LifecycleDeps): Promise<void> {
  const { links, scopes } = attributesOf(identity)
  const secret = identity.secrets.get('secret') ?? ''
  const answer = await askForToken({ id: identity.externalId, secret, tokenUrl: links.token }, scopes, deps)
  if (answer.kind === 'token') throw new PartywallError('ERR_UNINSTALL_REFUSED')
  if (!provesRemoval(answer)) {
    throw new PartywallError('ERR_OUTBOUND_UNREACHABLE', {
      message: `the token endpoint says neither yes nor no: ${answer.kind}`,
    })
  }
}

/** An id that no install would have accepted is unknown, not an error of the store. */
async function findStorable(key: ReturnType<typeof identityKey>, deps: LifecycleDeps) {
  const isStorable = /^[^\p{Cc}\p{Surrogate}]{1,255}$/u.test(key.externalId)
  return isStorable ? deps.registry.findFresh(key) : undefined
}
