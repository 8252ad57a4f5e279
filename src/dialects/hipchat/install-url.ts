/** The link with which a user begins an install (protocol A4.1, point 1). Nothing here reads a request. */

import type { JsonObject } from '../../core/tenant.ts'
import { checkWebUrl } from '../../core/url.ts'

export interface InstallUrlOptions {
  /** Display name of the room to install in; left out: the user chooses. */
  readonly room?: string
  /** Comes back to `onInstalled` where the host installs through the browser. Whoever sees the link sees it: never a secret. */
  readonly relayState?: string
  /** Key in the host's marketplace, in place of the descriptor's address. */
  readonly key?: string
  /** Puts the descriptor itself into the link, as a `data:` URI, for hosts that cannot reach the add-on beforehand. */
  readonly isInline?: boolean
}

/**
 * @param host  base address of the host's web pages, such as `https://www.hipchat.com`
 * @throws PartywallError ERR_OUTBOUND_URL for a base that is not a plain web address · TypeError for `key` beside `isInline`
 */
export function installUrl(host: string, descriptor: JsonObject, self: string, options: InstallUrlOptions): string {
  const { room, relayState, key, isInline = false } = options
  if (key !== undefined && isInline) throw new TypeError('a link names the add-on by key or by descriptor, not by both')
  const url = checkWebUrl(host)
  url.pathname = `${url.pathname.replace(/\/$/, '')}/addons/install`
  url.search = ''
  url.hash = ''
  if (key !== undefined) url.searchParams.set('key', key)
  else url.searchParams.set('url', isInline ? dataUri(descriptor) : self)
  if (room !== undefined) url.searchParams.set('room', room)
  if (relayState !== undefined) url.searchParams.set('relayState', relayState)
  return url.href
}

const dataUri = (descriptor: JsonObject): string =>
  `data:application/json;base64,${Buffer.from(JSON.stringify(descriptor)).toString('base64')}`
