/**
 * A port that was free a moment ago, for servers whose address must be known before they listen. Not one of those that the system
 * gives to outgoing connections: beside a test that makes hundreds of them such a port does not stay free.
 */

import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/** Below `ip_local_port_range`, which begins at 32,768. */
const FIRST = 20_000
const END = 32_000

export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(FIRST, END)
    if (await isFree(port)) return port
  }
}

/** Whether a server could listen there now. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', error => ('code' in error && error.code === 'EADDRINUSE' ? resolve(false) : reject(error)))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
