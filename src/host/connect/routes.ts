/** All routes of a Connect host. */

import { keyRoutes } from './keys/routes.ts'
import { tokenRoutes } from './oauth/token-endpoint.ts'
import { accountRoutes } from './rest/accounts.ts'
import { appRoutes } from './rest/app.ts'
import { dynamicModuleRoutes } from './rest/dynamic-modules.ts'
import { issueRoutes } from './rest/issues.ts'
import { mountRoutes } from './rest/product-route.ts'
import { userRoutes } from './rest/users.ts'
import { webhookRoutes } from './rest/webhooks.ts'
import type { ConnectRoute, ConnectState } from './state.ts'

export const connectRoutes = (state: ConnectState): ConnectRoute[] => [
  ...keyRoutes(state),
  ...tokenRoutes(state),
  ...mountRoutes(state, [
    ...appRoutes,
    ...dynamicModuleRoutes,
    ...accountRoutes,
    ...issueRoutes,
    ...userRoutes,
    ...webhookRoutes,
  ]),
]
