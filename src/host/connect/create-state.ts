/** Makes the state of one Connect host, all parts empty. */

import { createAddonClient } from '../addon-client.ts'
import { createFaults } from '../faults/faults.ts'
import { createViews } from '../pages/views.ts'
import { createHostRandom } from '../random.ts'
import { createForgeTokens } from './forge/tokens.ts'
import { createKeyRing } from './keys/key-ring.ts'
import { createAccessTokens } from './oauth/access-tokens.ts'
import { connectErrorReply } from './rest/errors.ts'
import type { ConnectHostSettings, ConnectState } from './state.ts'
import { createConnectDeliveries } from './webhooks/deliveries.ts'

const DEFAULTS: ConnectHostSettings = {
  tokenSeconds: 900,
  callbackTimeoutMs: 10_000,
  webhookTimeoutMs: 10_000,
  retryDelaysMs: [5_000, 30_000, 120_000, 600_000, 1_045_000],
  automaticRetries: true,
}

type Given = Pick<ConnectState, 'url' | 'clock' | 'hooks' | 'closing'>
type Options = Partial<ConnectHostSettings> & { readonly seed?: string | number; readonly firstId?: number }

export function createConnectState(given: Given, { seed, firstId, ...settings }: Options): ConnectState {
  const { clock, closing } = given
  const random = createHostRandom(seed, firstId)
  const state: ConnectState = {
    ...given,
    random,
    settings: { ...DEFAULTS, ...settings },
    keys: createKeyRing(random),
    sites: new Map(),
    installs: [],
    views: createViews(random),
    accessTokens: createAccessTokens(clock, random),
    forge: createForgeTokens(() => state, random),
    deliveries: createConnectDeliveries(() => state),
    faults: createFaults(closing, connectErrorReply),
    apps: createAddonClient(closing),
  }
  return state
}
