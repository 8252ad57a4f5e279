/** Who sits in front of the browser that opens the simulator's own pages. */

import type { UserRecord } from '../model.ts'
import { ApiError } from '../server/api-error.ts'
import type { HostState } from '../state.ts'

/** @throws ApiError 401 when nobody does */
export function signedIn(state: HostState): UserRecord {
  const { user } = state.session
  if (user === undefined || user.isDeleted) throw new ApiError(401, 'Nobody is signed in: call host.signIn(user).')
  return user
}
