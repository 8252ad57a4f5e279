/**
 * A TCP proxy that breaks connections on demand, to stand between us and a server: counts what passes, cuts at a chosen
 * message of the client, holds everything back, or refuses.
 */

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface TcpProxy {
  readonly port: number
  /** Chunks from clients that were passed on since the last `cutAfter`. */
  readonly passed: number
  /** Cuts the connection that carries chunk number `chunks` (from now), `before` or `after` it has reached the server. */
  cutAfter(chunks: number, moment: 'before' | 'after'): void
  /** Passes nothing on, in either direction, and keeps connections open. */
  hold(): void
  /** Passes everything on but the end of a connection by the server: its last words arrive, and the client still sends. */
  linger(): void
  /** Ends every connection and refuses new ones. */
  refuse(): void
  /** Back to normal. */
  heal(): void
  close(): Promise<void>
}

export type ProxyTarget = { readonly host: string; readonly port: number } | { readonly path: string }

/** Where a database URL leads. */
export function targetOf(url: string): ProxyTarget {
  const parsed = new URL(url)
  const folder = parsed.searchParams.get('host')
  const port = Number(parsed.port || 5432)
  return folder === null ? { host: parsed.hostname, port } : { path: `${folder}/.s.PGSQL.${port}` }
}

type Mode = 'pass' | 'hold' | 'linger' | 'refuse'

/** @param target host and port of the server, or the path of its socket */
export async function createTcpProxy(target: ProxyTarget): Promise<TcpProxy> {
  let mode: Mode = 'pass'
  let passed = 0
  let cut: { readonly at: number; readonly moment: 'before' | 'after' } | undefined
  const sockets = new Set<Socket>()

  const server = createServer(client => {
    if (mode === 'refuse') {
      client.destroy()
      return
    }
    const upstream = connect(target)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
      socket.on('error', () => socket.destroy())
    }
    client.on('close', () => upstream.destroy())
    upstream.on('close', () => {
      if (mode !== 'linger') client.destroy()
    })
    client.on('data', chunk => {
      if (mode === 'hold') return
      passed++
      if (cut?.at === passed) {
        const { moment } = cut
        cut = undefined
        if (moment === 'before') {
          client.destroy()
          return
        }
        // The server gets it all, and its answer finds nobody.
        client.removeAllListeners('data')
        upstream.write(chunk, () => upstream.end())
        client.destroy()
        return
      }
      upstream.write(chunk)
    })
    upstream.on('data', chunk => {
      if (mode !== 'hold' && !client.destroyed) client.write(chunk)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  return {
    port: (server.address() as AddressInfo).port,
    get passed() {
      return passed
    },
    cutAfter(chunks, moment) {
      passed = 0
      cut = { at: chunks, moment }
    },
    hold() {
      mode = 'hold'
    },
    linger() {
      mode = 'linger'
    },
    refuse() {
      mode = 'refuse'
      for (const socket of sockets) socket.destroy()
    },
    heal() {
      mode = 'pass'
      cut = undefined
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
