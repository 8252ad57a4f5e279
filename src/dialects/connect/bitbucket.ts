/**
 * Installs of Bitbucket's older model (protocol s. 4.7): the first one is not signed, later ones are with the secret before.
 *
 * A secret that nobody vouches for counts only when Bitbucket itself honours it: it must give a token for it. Until then nothing is
 * stored. Bitbucket's clock orders nothing here, since not every event has a token: events count in the order of arrival.
 */

import { createSecretKey } from 'node:crypto'
import { PartywallError } from '../../core/errors.ts'
import { readJsonBody } from '../../core/json-body.ts'
import type { ChangeResult } from '../../core/ports.ts'
import type { IdentityRecord } from '../../core/tenant.ts'
import type { RequestView } from '../../http/view.ts'
import { signHs256 } from '../../wire/jws.ts'
import { readTokenAnswer } from '../../wire/oauth2.ts'
import { queryStringHash } from '../../wire/qsh.ts'
import { GRANT, TOKEN_PATH } from './bitbucket-token.ts'
import { attributesJson, checkEventBody, readInstallBody } from './install-body.ts'
import type { LifecycleDeps } from './lifecycle.ts'
import { authenticate, identityKey } from './principal.ts'
import { usedTokenOf } from './signed-lifecycle.ts'

const TRUST_DOMAIN = 'bitbucket.org'
const TOKEN_SECONDS = 180
const TIMEOUT_MS = 4_000
const MAX_BYTES = 65_536

/**
 * Commits an install that Bitbucket vouches for.
 * @throws PartywallError 401 an installation that has a secret must sign with it · ERR_INSTALL_INVALID (400) ·
 *   ERR_INSTALL_HOST_REFUSED, ERR_INSTALL_TOKEN_REFUSED (403) · ERR_INSTALL_CONFLICT (409) · 503 when Bitbucket or the store says nothing
 */
export async function installFromBitbucket(
  view: RequestView,
  deps: LifecycleDeps,
): Promise<{ readonly result: ChangeResult; readonly before: IdentityRecord | undefined; readonly clientKey: string }> {
  const { settings, registry, clock } = deps
  const body = await readJsonBody(view)
  const clientKey = checkEventBody(body.value, 'installed', settings)
  const install = readInstallBody(body.value, settings)
  const key = identityKey(settings, clientKey)
  const before = await registry.findFresh(key)
  const principal =
    before?.secrets.get('secret') === undefined ? undefined : await authenticate(view, deps, 'request', () => true)
  if (principal !== undefined && principal.identity.externalId !== clientKey)
    throw new PartywallError('ERR_TENANT_MISMATCH')
  await requireHonoured(clientKey, install.secret, deps)
  const result = await registry.apply({
    kind: 'install',
    key,
    at: clock.now(),
    isOrderedByArrival: true,
    reason: 'install',
    host: TRUST_DOMAIN,
    secrets: { secret: install.secret },
    attributes: attributesJson(install.attributes),
    state: 'installed',
    expect: before?.version ?? 'absent',
    ...(principal === undefined
      ? {}
      : { usedToken: usedTokenOf(principal.token, body, principal.expiresAt + settings.leewaySeconds) }),
  })
  return { result, before, clientKey }
}

async function requireHonoured(clientKey: string, secret: string, deps: LifecycleDeps): Promise<void> {
  const { settings, outbound, clock } = deps
  const { href, origin } = new URL(settings.authorizationServer + TOKEN_PATH)
  const basePath = new URL(settings.authorizationServer).pathname
  const issuedAt = Math.floor(clock.now() / 1000)
  const claims = {
    iss: settings.key,
    sub: clientKey,
    iat: issuedAt,
    exp: issuedAt + TOKEN_SECONDS,
    qsh: queryStringHash({ method: 'POST', target: new URL(href).pathname, basePath }),
  }
  const answer = await outbound.request({
    url: href,
    method: 'POST',
    headers: {
      accept: 'application/json',
      authorization: `JWT ${signHs256({ typ: 'JWT' }, claims, createSecretKey(Buffer.from(secret)))}`,
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: new URLSearchParams({ grant_type: GRANT }).toString(),
    allowedOrigins: [origin],
    timeoutMs: TIMEOUT_MS,
    maxBytes: MAX_BYTES,
  })
  const { kind } = readTokenAnswer(answer, { now: clock.now(), requestedScope: '' })
  if (kind === 'refused') throw new PartywallError('ERR_INSTALL_TOKEN_REFUSED')
  if (kind !== 'token') throw new PartywallError('ERR_HOST_RESPONSE', { details: { kind } })
}
