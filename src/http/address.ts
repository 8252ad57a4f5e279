/** Which network addresses an outbound call may reach: public unicast, or what the configuration names by host and port. */

import type { LookupAddress } from 'node:dns'
import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import { PartywallError } from '../core/errors.ts'

/** Answers with every address of a name, like `dns.promises.lookup(name, { all: true })`. */
export type ResolveHost = (hostname: string) => Promise<readonly LookupAddress[]>

/** Public or private by registration, but a cloud's own management service answers there. */
const METADATA_ADDRESSES: ReadonlySet<string> = new Set(['168.63.129.16', 'fd00:ec2::254', 'fd20:ce::254'])
const PRIVATE_NETWORK: ReadonlySet<string> = new Set(['private', 'uniqueLocal'])
const NONE: ReadonlySet<string> = new Set()

/**
 * True for a public unicast address. Everything special is refused: loopback, link-local, private, shared, unique-local,
 * multicast, documentation, reserved, and IPv6 forms that carry an IPv4 address (mapped, NAT64, 6to4, Teredo).
 *
 * @param address  as a resolver gives it; anything unreadable is not public
 */
export function isPublicAddress(address: string): boolean {
  if (isIP(address) === 0) return false
  const parsed = ipaddr.parse(address)
  if (parsed.range() !== 'unicast' || METADATA_ADDRESSES.has(parsed.toString())) return false
  // Of IPv6 only 2000::/3 is assigned for global use; a range the library has no name for is not let through.
  return parsed.kind() === 'ipv4' || ((parsed as ipaddr.IPv6).parts[0] ?? 0) >> 13 === 1
}

/**
 * True for an address of an organisation's own network (RFC 1918, unique-local). Loopback, link-local and the addresses of
 * metadata services are none.
 */
export function isPrivateNetworkAddress(address: string): boolean {
  if (isIP(address) === 0) return false
  const parsed = ipaddr.parse(address)
  return PRIVATE_NETWORK.has(parsed.range()) && !METADATA_ADDRESSES.has(parsed.toString())
}

/** The IP address a URL's `hostname` spells, without brackets; `undefined` for a name. */
export function literalAddress(hostname: string): string | undefined {
  const bare = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
  return isIP(bare) === 0 ? undefined : bare
}

/**
 * Every answer must be allowed: a name that also points elsewhere is not half allowed.
 *
 * @param allowPrivate         `host:port` that may have any address
 * @param allowPrivateNetwork  `host:port` that may have an address of a private network as well
 * @throws ERR_OUTBOUND_REFUSED
 */
export function refusePrivate(
  addresses: readonly string[],
  hostPort: string,
  allowPrivate: ReadonlySet<string>,
  allowPrivateNetwork: ReadonlySet<string> = NONE,
): void {
  if (allowPrivate.has(hostPort)) return
  const isInside = allowPrivateNetwork.has(hostPort) ? isPrivateNetworkAddress : () => false
  if (addresses.length === 0 || !addresses.every(address => isPublicAddress(address) || isInside(address))) {
    throw new PartywallError('ERR_OUTBOUND_REFUSED', {
      message: `${hostPort} is not a public address; name it in the configuration to allow it.`,
      details: { host: hostPort },
    })
  }
}
