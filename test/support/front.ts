/**
 * The address under which an app is known, while the processes behind it come and go: passes TCP connections on to the one
 * that is chosen now.
 */

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface Front {
  readonly url: string
  /** Passes new connections to this port of this machine, and ends those there are. */
  to(port: number): Promise<void>
  close(): Promise<void>
}

export async function createFront(): Promise<Front> {
  const sockets = new Set<Socket>()
  let target: number | undefined
  const server = createServer(client => {
    if (target === undefined) {
      client.destroy()
      return
    }
    const upstream = connect(target, '127.0.0.1')
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
      socket.pipe(other)
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  const endAll = async (): Promise<void> => {
    const ends = [...sockets].map(socket => once(socket, 'close'))
    for (const socket of sockets) socket.destroy()
    await Promise.all(ends)
  }
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async to(port) {
      target = port
      if (sockets.size === 0) return
      await endAll()
      // The other ends of this process hear of it in the next turns of the loop.
      await new Promise(resolve => setTimeout(resolve, 20))
    },
    async close() {
      target = undefined
      server.close()
      await endAll()
    },
  }
}
