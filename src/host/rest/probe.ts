/** `GET /v2/probe`: whose token this is. Not part of HipChat; an isolation test asks it through the add-on's own client. */

import type { Route } from '../server/reply.ts'
import type { HostState } from '../state.ts'
import { apiRoute } from './access.ts'

export const probeRoutes = (state: HostState): Route[] => [
  apiRoute(state, 'GET', '/probe', undefined, ({ token: { installation } }) => ({
    status: 200,
    json: {
      group: installation.group.id,
      room: installation.room?.id ?? null,
      oauthId: installation.oauthId,
    },
  })),
]
