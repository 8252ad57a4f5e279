/** The key server: `GET /keys/<kid>` gives the PEM. */

import { ApiError } from '../../server/api-error.ts'
import type { ConnectRoute, ConnectState } from '../state.ts'

export const keyRoutes = (state: ConnectState): ConnectRoute[] => [
  {
    method: 'GET',
    path: '/keys/:kid',
    handle: ({ params }) =>
      state.faults.apply('keys', undefined, () => {
        const pem = state.keys.publicKeyPem(params.kid ?? '')
        if (pem === undefined) throw new ApiError(404, 'There is no such key.')
        return { status: 200, content: { type: 'application/x-pem-file', body: pem } }
      }),
  },
]
