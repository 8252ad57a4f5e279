/** All routes of a Connect host. */

import { keyRoutes } from './keys/routes.ts'
import { tokenRoutes } from './oauth/token-endpoint.ts'
import { frameRoutes } from './pages/frame-routes.ts'
import { accountRoutes } from './rest/accounts.ts'
import { agileRoutes } from './rest/agile.ts'
import { appRoutes } from './rest/app.ts'
import { commentRoutes } from './rest/comments.ts'
import { contentListRoutes } from './rest/content-lists.ts'
import { contentPropertyRoutes } from './rest/content-properties.ts'
import { contentRoutes } from './rest/contents.ts'
import { dynamicModuleRoutes } from './rest/dynamic-modules.ts'
import { forgeAppRoutes } from './rest/forge-app.ts'
import { issueHistoryRoutes } from './rest/issue-history.ts'
import { issuePartRoutes } from './rest/issue-parts.ts'
import { issueRoutes } from './rest/issues.ts'
import { jiraCatalogueRoutes } from './rest/jira-catalogue.ts'
import { pageV2Routes } from './rest/pages-v2.ts'
import { mountRoutes } from './rest/product-route.ts'
import { searchRoutes } from './rest/search.ts'
import { userRoutes } from './rest/users.ts'
import { webhookRoutes } from './rest/webhooks.ts'
import type { ConnectRoute, ConnectState } from './state.ts'

export const connectRoutes = (state: ConnectState): ConnectRoute[] => [
  ...keyRoutes(state),
  ...tokenRoutes(state),
  ...frameRoutes(state),
  ...mountRoutes(state, [
    ...appRoutes,
    ...dynamicModuleRoutes,
    ...accountRoutes,
    ...issueRoutes,
    ...issuePartRoutes,
    ...issueHistoryRoutes,
    ...agileRoutes,
    ...jiraCatalogueRoutes,
    ...commentRoutes,
    ...contentRoutes,
    ...contentListRoutes,
    ...contentPropertyRoutes,
    ...pageV2Routes,
    ...forgeAppRoutes,
    ...searchRoutes,
    ...userRoutes,
    ...webhookRoutes,
  ]),
]
