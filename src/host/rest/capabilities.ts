/** The host's capabilities document, and what else it answers without a token. */

import { SCOPES } from '../clients/scopes.ts'
import { ApiError } from '../server/api-error.ts'
import type { Route } from '../server/reply.ts'
import type { HostState } from '../state.ts'

export const publicRoutes = (state: HostState): Route[] => [
  {
    method: 'GET',
    path: '/v2/capabilities',
    handle: () => state.faults.apply('capabilities', undefined, () => ({ status: 200, json: describeHost(state.url) })),
  },
  {
    method: 'GET',
    path: '/v2/installable/:ticket',
    isSecret: true,
    handle: call =>
      state.faults.apply('installable', undefined, () => {
        const ticket = call.params.ticket ?? ''
        const document = state.tickets.get(ticket)
        if (!state.tickets.delete(ticket)) throw new ApiError(404, 'This address was good once.')
        return { status: 200, json: document }
      }),
  },
]

const describeHost = (url: string) => ({
  key: 'hipchat',
  name: 'HipChat',
  description: 'A simulated HipChat host',
  vendor: { name: 'Partywall', url: 'http://partywall.invalid' },
  links: { self: `${url}/v2/capabilities`, api: `${url}/v2`, homepage: url },
  capabilities: {
    oauth2Provider: { tokenUrl: `${url}/v2/oauth/token`, authorizationUrl: `${url}/users/authorize` },
    hipchatApiProvider: {
      url: `${url}/v2/`,
      availableScopes: Object.fromEntries(
        Object.entries(SCOPES).map(([id, description]) => [id, { id, name: description, description }]),
      ),
    },
  },
})
