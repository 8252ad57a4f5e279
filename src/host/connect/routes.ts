/** All routes of a Connect host. */

import { keyRoutes } from './keys/routes.ts'
import { appRoutes } from './rest/app.ts'
import { issueRoutes } from './rest/issues.ts'
import { mountRoutes } from './rest/product-route.ts'
import type { ConnectRoute, ConnectState } from './state.ts'

export const connectRoutes = (state: ConnectState): ConnectRoute[] => [
  ...keyRoutes(state),
  ...mountRoutes(state, [...appRoutes, ...issueRoutes]),
]
