/** Opens a module's page in the host's own page, which has the bridge. Whoever knows a view's id is its user. */

import type { ConnectInstallation } from '../apps/installation.ts'
import type { ConnectState } from '../state.ts'
import { type PageAddress, pageModule } from './page-url.ts'

export interface AppView {
  readonly installation: ConnectInstallation
  readonly address: PageAddress
}

/** @throws TypeError when the app has no such page */
export function openFrame(state: ConnectState, installation: ConnectInstallation, address: PageAddress): string {
  pageModule(installation, address.moduleKey)
  return `${state.url}/frame?view=${state.views.add({ installation, address })}`
}
