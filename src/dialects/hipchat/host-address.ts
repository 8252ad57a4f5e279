/** Addresses of hosts that come from outside: which are taken, before anything is fetched from them. */

import { PartywallError } from '../../core/errors.ts'
import { checkWebUrl, matchesHost } from '../../core/url.ts'
import type { AddonSettings } from './options.ts'

/**
 * Parses the address of something a host serves and checks that host against the add-on's list.
 * @param field  names it in the error
 * @throws PartywallError ERR_INSTALL_INVALID not an address · ERR_INSTALL_HOST_REFUSED host or scheme not allowed
 */
export function checkHostUrl(text: string, field: string, settings: AddonSettings): URL {
  const url = parseAddress(text, field, 'ERR_INSTALL_INVALID')
  const isAllowed =
    url.protocol === 'https:'
      ? settings.hosts.some(host => matchesHost(host, url.host))
      : settings.insecureHosts.includes(url.host)
  if (!isAllowed) throw new PartywallError('ERR_INSTALL_HOST_REFUSED', { details: { host: url.host } })
  return url
}

/** @throws PartywallError with `code` for what `checkWebUrl` refuses */
export function parseAddress(
  text: unknown,
  field: string,
  code: 'ERR_INSTALL_INVALID' | 'ERR_INSTALL_DOCUMENT_INVALID' | 'ERR_REDIRECT_REFUSED',
): URL {
  try {
    return checkWebUrl(text)
  } catch (cause) {
    throw new PartywallError(code, { cause, details: { field } })
  }
}
