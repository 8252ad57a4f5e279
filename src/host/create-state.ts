/** Makes the state of one host, all parts empty. */

import { createAddonClient } from './addon-client.ts'
import { createGrants } from './clients/grants.ts'
import { createTokens } from './clients/tokens.ts'
import { createEmoticons } from './emoticons/emoticon.ts'
import { createExtensionTable } from './extensions/table.ts'
import { createFaults } from './faults/faults.ts'
import { createFiles } from './files/files.ts'
import { createGlanceTable } from './glances/table.ts'
import { createViews } from './pages/views.ts'
import { createHostRandom } from './random.ts'
import { errorReply } from './server/api-error.ts'
import type { HostSettings, HostState } from './state.ts'
import { createDeliveries } from './webhooks/deliveries.ts'

const DEFAULTS: HostSettings = {
  tokenSeconds: 28_800,
  callbackTimeoutMs: 10_000,
  webhookTimeoutMs: 10_000,
  rateLimit: { calls: 500, windowSeconds: 300 },
  floodControl: { calls: 30, windowSeconds: 60 },
  retryDelaysMs: [1_000, 5_000, 30_000, 120_000],
  automaticRetries: true,
}

type Given = Pick<HostState, 'url' | 'clock' | 'hooks' | 'closing'>
type Options = Partial<HostSettings> & { readonly seed?: string | number; readonly firstId?: number }

export function createState(given: Given, { seed, firstId, ...settings }: Options): HostState {
  const { url, clock, closing } = given
  const random = createHostRandom(seed, firstId)
  const state: HostState = {
    ...given,
    random,
    settings: { ...DEFAULTS, ...settings },
    groups: new Map(),
    rooms: new Map(),
    users: new Map(),
    clients: new Map(),
    tokens: createTokens(clock, random),
    grants: createGrants(clock, random),
    tickets: new Map(),
    catalog: new Map(),
    session: { user: undefined },
    extensions: createExtensionTable(),
    glances: createGlanceTable(),
    views: createViews(random),
    files: createFiles(url, random),
    emoticons: createEmoticons(url),
    deliveries: createDeliveries(() => state),
    faults: createFaults(closing, errorReply),
    addons: createAddonClient(closing),
  }
  return state
}
