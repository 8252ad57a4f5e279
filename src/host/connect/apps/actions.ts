/** What the methods of an installation do on one host. */

import { isShown } from '../pages/conditions.ts'
import { openFrame } from '../pages/frame.ts'
import { openPage } from '../pages/open.ts'
import { pageUrl } from '../pages/page-url.ts'
import type { ConnectState } from '../state.ts'
import { signContext, signRequest } from '../tokens/sign.ts'
import type { InstallationActions } from './installation.ts'
import { reinstall, switchTo, uninstallApp, upgrade, upgradeToForge } from './lifecycle.ts'
import { moveRealm } from './move-realm.ts'
import { tellApp } from './tell-app.ts'

export const actionsOn = (state: ConnectState): InstallationActions => ({
  reinstall: (one, options) => reinstall(state, one, options),
  upgrade: (one, descriptorUrl) => upgrade(state, one, descriptorUrl),
  upgradeToForge: one => upgradeToForge(state, one),
  switchTo: (one, to) => switchTo(state, one, to),
  uninstall: (one, options) => uninstallApp(state, one, options),
  send: (one, event, options) => tellApp(state, one, event, options),
  signRequest: (one, target, place, claims) => signRequest(state, one, target, { place, claims }),
  signContext: (one, place, claims) => signContext(state, one, place, claims),
  pageUrl: (one, address) => pageUrl(state, one, address),
  openPage: (one, address) => openPage(state, one, address),
  frameUrl: (one, address) => openFrame(state, one, address),
  moveRealm: (one, realm, options) => moveRealm(state, one, realm, options),
  isShown: (one, moduleKey, place) => isShown(one, moduleKey, place),
})
