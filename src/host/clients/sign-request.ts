/** The claims of a host token. */

import type { HostState } from '../state.ts'
import type { Installation, TokenSubject } from './installation.ts'
import { signToken } from './sign.ts'

const TOKEN_SECONDS = 3600

/**
 * `sub` is a number and `prn` a text, so that readers of both meet both.
 * @throws TypeError for a user of another group or a room that the installation does not cover
 */
export function signRequest(
  state: HostState,
  installation: Installation,
  claims: Readonly<Record<string, unknown>>,
  subject: TokenSubject,
): string {
  const { user = installation.group.owner, room = installation.room } = subject
  if (user !== null && user.group !== installation.group) throw new TypeError('the user is of another group')
  if (room !== undefined && !installation.covers(room)) throw new TypeError('the room is not of this installation')
  const issuedAt = Math.floor(state.clock.now() / 1000)
  return signToken(
    {
      iss: installation.oauthId,
      sub: user?.id,
      prn: user === null ? undefined : String(user.id),
      iat: issuedAt,
      exp: issuedAt + TOKEN_SECONDS,
      jti: state.random.text(20),
      context: { room_id: room?.id, user_tz: user?.timezone ?? 'UTC', tz: user?.timezone ?? 'UTC' },
      ...claims,
    },
    installation.oauthSecret,
  )
}
