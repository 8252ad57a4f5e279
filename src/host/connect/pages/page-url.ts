/** The address that the product puts into an iframe (protocol s. 6). */

import type { ConnectInstallation } from '../apps/installation.ts'
import type { AppModule } from '../apps/modules.ts'
import type { ConnectState } from '../state.ts'
import type { Place } from '../tokens/claims.ts'
import { signRequest } from '../tokens/sign.ts'
import { fillVariables, type Variables, variablesOf } from './variables.ts'

/** Which page, and as seen from where. */
export interface PageAddress {
  readonly moduleKey: string
  readonly place: Place
  /** Values of variables that a place does not give (`macro.id`, `board.id`); other names become parameters of the query. */
  readonly parameters: Variables
}

const CONNECT_VERSION = '2.0.0'

/** @throws TypeError when the app has no page of this key, or is not there */
export function pageUrl(state: ConnectState, installation: ConnectInstallation, address: PageAddress): string {
  const module = pageModule(installation, address.moduleKey)
  const template = module.url ?? ''
  const variables = { ...variablesOf(address.place), ...address.parameters }
  const url = absolute(installation, fillVariables(template, variables))
  // A cacheable page is the same for everybody: no parameter, no token.
  if (module.isCacheable) return url.split('?', 1)[0] ?? url
  const further = Object.entries(address.parameters).filter(([name]) => !template.includes(`{${name}}`))
  const query = [...further, ...hostParameters(state, installation, module)].map(
    ([name, value = '']) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`,
  )
  const whole = `${url}${url.includes('?') ? '&' : '?'}${query.join('&')}`
  return `${whole}&jwt=${signRequest(state, installation, { method: 'GET', url: whole }, { place: address.place })}`
}

export function pageModule(installation: ConnectInstallation, key: string): AppModule {
  if (installation.state !== 'enabled') throw new TypeError(`the app is ${installation.state}: it shows nothing`)
  const module = installation.modules.find(one => one.key === key)
  if (module?.url === undefined) throw new TypeError(`the app has no page ${key}`)
  return module
}

/** Addresses of the descriptor are relative to the app's base URL, path included. */
export const absolute = ({ appUrl }: ConnectInstallation, url: string): string =>
  /^https?:/i.test(url) ? url : `${appUrl}${url.startsWith('/') ? '' : '/'}${url}`

const hostParameters = (state: ConnectState, one: ConnectInstallation, module: AppModule) =>
  Object.entries({
    xdm_e: state.url,
    xdm_c: `channel-${one.appKey}__${module.key}`,
    cp: one.product.contextPath,
    xdm_deprecated_addon_key_do_not_use: one.appKey,
    lic: one.licence,
    cv: CONNECT_VERSION,
  })
