/**
 * The apps at the keeper's socket: tells each what is going on, and notices when the last one has gone.
 *
 * An app that says `close` leaves orderly; when it was the last, nothing is waited for. An app whose connection breaks may come
 * back (a crash, a restart while developing): the keeper waits for `graceMs` before it believes that nobody will.
 */

import { createServer, type Socket } from 'node:net'
import { CLOSE, encode, type KeeperMessage, onLines } from './protocol.ts'

export interface Audience {
  readonly isEmpty: boolean
  listen(address: string): Promise<void>
  /** To everyone here, and to everyone who comes until the next message. */
  say(message: KeeperMessage): void
  /** Lets nobody in any more; the address is free again. */
  shut(): void
  /** Says a last word, hangs up, and resolves when all have heard it or a second has passed. */
  dismiss(message: KeeperMessage): Promise<void>
}

/** @param onAlone  called once: the last app left orderly, or the grace has passed */
export function createAudience(graceMs: number, onAlone: () => void): Audience {
  const members = new Set<Socket>()
  let current: KeeperMessage | undefined
  let grace: NodeJS.Timeout | undefined
  // An app that left orderly may wait for our end of the connection: it ends with this process, when the server has stopped.
  const server = createServer({ allowHalfOpen: true }, socket => join(socket))

  function join(socket: Socket): void {
    clearTimeout(grace)
    members.add(socket)
    socket.on('error', () => leave(socket, false))
    socket.on('end', () => leave(socket, false))
    onLines(socket, line => {
      if (line === CLOSE) leave(socket, true)
    })
    if (current !== undefined) socket.write(encode(current))
  }

  function leave(socket: Socket, isOrderly: boolean): void {
    if (!members.delete(socket)) return
    const isLast = members.size === 0
    if (!isOrderly) socket.destroy()
    else if (!isLast) socket.end()
    if (isLast && isOrderly) onAlone()
    else if (isLast) startGrace()
  }

  function startGrace(): void {
    clearTimeout(grace)
    grace = setTimeout(onAlone, graceMs)
  }

  return {
    get isEmpty() {
      return members.size === 0
    },
    listen: address =>
      new Promise((resolve, reject) => {
        server.once('error', reject)
        server.listen(address, () => {
          server.off('error', reject)
          startGrace()
          resolve()
        })
      }),
    say(message) {
      current = message
      for (const socket of members) socket.write(encode(message))
    },
    shut() {
      clearTimeout(grace)
      server.close()
    },
    async dismiss(message) {
      current = message
      this.shut()
      const heard = [...members].map(
        socket => new Promise(resolve => socket.once('close', resolve).end(encode(message))),
      )
      await Promise.race([Promise.all(heard), new Promise(resolve => setTimeout(resolve, 1000))])
    },
  }
}
