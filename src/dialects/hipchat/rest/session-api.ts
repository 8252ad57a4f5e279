/** Access tokens as an add-on may want them itself: getting one, asking the host about it, ending it (protocol A5, A9). */

import { isPartywallError } from '../../../core/errors.ts'
import { segment } from '../../common/address.ts'
import { checkAnswer, invalidField } from '../../common/check.ts'
import type { HostApi } from '../host-api.ts'
import type { HipchatScope } from '../options.ts'
import { type RoomRef, roomPath } from './address.ts'
import { type HipchatSession, sessionShape } from './shapes.ts'

export interface SessionApi {
  /**
   * An access token with exactly these scopes, shared and renewed like those of the calls.
   * @throws PartywallError ERR_CALL_INVALID without a scope, ERR_SCOPE_UNDECLARED; ERR_HOST_TOKEN_REFUSED and other trouble of the host
   */
  getToken(...scopes: readonly HipchatScope[]): Promise<string>
  /** What the host says about an access token; left out: the installation's own with all declared scopes. */
  getSession(accessToken?: string): Promise<HipchatSession>
  /** Ends an access token, at the host and in our memory; left out: as for `getSession`. */
  deleteSession(accessToken?: string): Promise<null>
  /**
   * Whether the host would take calls with these scopes now (`auth_test`); one request per scope. Needs nothing but the token, and
   * does nothing else.
   * @throws PartywallError ERR_CALL_INVALID without a scope or for one that no call needs, ERR_SCOPE_UNDECLARED; trouble of the host
   *   other than a refusal
   */
  authTest(scopes: readonly HipchatScope[]): Promise<boolean>
}

export interface SessionSettings {
  readonly declaredScopes: readonly string[]
  /** Of the installation. */
  readonly room: RoomRef | undefined
}

interface Probe {
  readonly method: 'GET' | 'POST'
  readonly path: (room: RoomRef) => string
}

/** For an installation of a whole group: the test looks at the token and at no room. */
const ANY_ROOM = 0

export function createSessionApi({ call, tokens }: HostApi, settings: SessionSettings): SessionApi {
  const ownToken = () => tokens.get(settings.declaredScopes)
  return {
    async getToken(...scopes) {
      requireScopes(scopes)
      return tokens.get(scopes)
    },
    async getSession(accessToken) {
      const token = accessToken ?? (await ownToken())
      return checkAnswer(sessionShape, await call('GET', sessionPath(token), { accessToken: token, expect: [200] }))
    },
    async deleteSession(accessToken) {
      const token = accessToken ?? (await ownToken())
      // First, so that nobody is handed a token that is about to end.
      await tokens.forget(token)
      await call('DELETE', sessionPath(token), { accessToken: token, expect: [204] })
      return null
    },
    async authTest(scopes) {
      requireScopes(scopes)
      for (const { method, path } of scopes.map(probeOf)) {
        if (!(await isHonoured(call, method, path(settings.room ?? ANY_ROOM), scopes))) return false
      }
      return true
    },
  }
}

const sessionPath = (accessToken: string): string => `/oauth/token/${segment(accessToken)}`

function requireScopes(scopes: readonly string[]): void {
  if (scopes.length === 0) throw invalidField('scopes', 'at least one scope', 'the token')
}

async function isHonoured(call: HostApi['call'], method: string, path: string, scopes: readonly string[]) {
  try {
    await call(method, path, { scopes, query: { auth_test: true }, expect: [202] })
    return true
  } catch (error) {
    if (isPartywallError(error, 'ERR_HOST_TOKEN_REFUSED')) return false
    throw error
  }
}

/**
 * For each scope a call that needs it. Even a host that took one for more than a test would find nothing to do: no body goes
 * along. No call needs `import_data`.
 */
const PROBES: Partial<Record<HipchatScope, Probe>> = {
  admin_group: { method: 'POST', path: () => '/user' },
  admin_room: { method: 'GET', path: room => roomPath(room, '/webhook') },
  manage_rooms: { method: 'POST', path: () => '/room' },
  send_message: { method: 'POST', path: room => roomPath(room, '/message') },
  send_notification: { method: 'POST', path: room => roomPath(room, '/notification') },
  view_group: { method: 'GET', path: () => '/room' },
  view_messages: { method: 'GET', path: room => roomPath(room, '/history/latest') },
  view_room: { method: 'GET', path: room => roomPath(room, '/participant') },
}

function probeOf(scope: HipchatScope): Probe {
  const probe = PROBES[scope]
  if (probe !== undefined) return probe
  throw invalidField('scopes', 'no call of the API needs this scope', 'the test')
}
