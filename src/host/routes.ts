/** Everything the host answers. */

import { authorizeRoutes } from './clients/authorize-page.ts'
import { installLinkRoutes } from './clients/install-link.ts'
import { fileRoutes } from './files/routes.ts'
import { assetRoutes } from './pages/assets.ts'
import { frameRoutes } from './pages/frame.ts'
import { addonUiRoutes } from './rest/addon-ui.ts'
import { publicRoutes } from './rest/capabilities.ts'
import { emoticonRoutes } from './rest/emoticons.ts'
import { extensionRoutes } from './rest/extensions.ts'
import { historyRoutes } from './rest/history.ts'
import { probeRoutes } from './rest/probe.ts'
import { roomMessageRoutes } from './rest/room-messages.ts'
import { roomPeopleRoutes } from './rest/room-people.ts'
import { roomWebhookRoutes } from './rest/room-webhooks.ts'
import { roomRoutes } from './rest/rooms.ts'
import { shareRoutes } from './rest/shares.ts'
import { tokenRoutes } from './rest/tokens.ts'
import { userRoutes } from './rest/users.ts'
import type { Route } from './server/reply.ts'
import type { HostState } from './state.ts'

export const hostRoutes = (state: HostState): readonly Route[] => [
  ...publicRoutes(state),
  ...tokenRoutes(state),
  ...emoticonRoutes(state),
  ...roomRoutes(state),
  ...roomMessageRoutes(state),
  ...historyRoutes(state),
  ...roomPeopleRoutes(state),
  ...roomWebhookRoutes(state),
  ...extensionRoutes(state),
  ...shareRoutes(state),
  ...userRoutes(state),
  ...addonUiRoutes(state),
  ...probeRoutes(state),
  ...installLinkRoutes(state),
  ...authorizeRoutes(state),
  ...frameRoutes(state),
  ...assetRoutes(),
  ...fileRoutes(state),
]
