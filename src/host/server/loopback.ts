/** The addresses a simulator may listen on: whoever reaches one can use it. */

/** @throws TypeError for an address that others could reach */
export function refuseOthers(hostname: string): void {
  if (!isLoopback(hostname)) throw new TypeError(`the simulator listens on loopback addresses only, not on ${hostname}`)
}

/** Without trailing slash. */
export const originOf = (hostname: string, port: number): string =>
  `http://${hostname.includes(':') ? `[${hostname}]` : hostname}:${port}`

const isLoopback = (hostname: string): boolean =>
  hostname === 'localhost' || hostname === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(hostname)
