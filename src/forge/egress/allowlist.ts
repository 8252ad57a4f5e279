/**
 * Whether an address is among those that a manifest allows its functions. An address is read without a URL parser, as the platform
 * reads it; what both readings do not agree on is refused. (Forge protocol s. 6, semantics of `@forge/egress` 3.0.)
 */

/** Ports through which the platform lets requests out. */
const PORTS: ReadonlySet<string> = new Set([
  '80',
  '443',
  '7990',
  '8060',
  '8080',
  '8085',
  '8089',
  '8090',
  '8443',
  '8444',
])

interface Address {
  readonly protocol: string
  /** With its port, where one is written. */
  readonly host: string
}

/** @param allowed  `https://api.example.com`, `*.example.com`, `*` */
export function isAllowedAddress(url: string, allowed: readonly string[]): boolean {
  const address = readAddress(url)
  if (address === undefined || !isOneReading(url, address)) return false
  return allowed.some(entry => matches(address, entry))
}

/** @param port  as `URL` gives it: empty for that of the protocol */
export const isOpenPort = (port: string): boolean => port === '' || PORTS.has(port)

function matches(address: Address, entry: string): boolean {
  if (entry === '*') return true
  const wanted = readAddress(entry)
  if (wanted === undefined || wanted.protocol !== address.protocol) return false
  if (!wanted.host.includes('*')) return wanted.host === address.host
  const pattern = wanted.host.split('*').map(escaped).join('.*')
  return new RegExp(`^${pattern}$`).test(address.host)
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

function readAddress(text: string): Address | undefined {
  const [bare = ''] = text.split(/[?#]/)
  const match = /^(?:([a-z][a-z0-9+.-]*):)?(?:\/\/)?([^/]+)/i.exec(bare)
  // `example.com:8080` has a port and no protocol.
  const isProtocol = match?.[1] !== undefined && bare.includes('://')
  const host = isProtocol ? match?.[2] : /^(?:\/\/)?([^/]+)/.exec(bare)?.[1]
  if (host === undefined) return undefined
  return { protocol: isProtocol ? `${match?.[1]?.toLowerCase()}:` : 'https:', host: host.toLowerCase() }
}

/** What would be connected to is what was compared: no user, no back slash, no other spelling of the host. */
function isOneReading(text: string, { protocol, host }: Address): boolean {
  if (!URL.canParse(text)) return false
  const url = new URL(text)
  const usual = url.protocol === 'https:' ? ':443' : ':80'
  const isHost = url.host === host || `${url.host}${usual}` === host
  return url.protocol === protocol && isHost && url.username === '' && url.password === ''
}
