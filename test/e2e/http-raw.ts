/** Raw TCP for tests of framing and limits: bytes out, text back, and how the connection ended. */

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export interface Exchange {
  readonly text: string
  /** `end`: closed in order · `reset`: torn down · `open`: still open when `until` was met. */
  readonly ending: 'end' | 'reset' | 'open'
}

/**
 * @param parts  sent one after the other; a number waits so many milliseconds
 * @param until  stops listening as soon as this returns true; left out: when the connection ends
 */
export async function exchange(
  port: number,
  parts: readonly (string | Buffer | number)[],
  until: (text: string) => boolean = () => false,
): Promise<Exchange> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  const received = collect(socket, until)
  for (const part of parts) {
    if (typeof part === 'number') await new Promise(resolve => setTimeout(resolve, part))
    else if (socket.writable) socket.write(part, 'latin1')
  }
  const result = await received
  socket.destroy()
  return result
}

function collect(socket: Socket, until: (text: string) => boolean): Promise<Exchange> {
  return new Promise(resolve => {
    let text = ''
    let hasEnded = false
    const timer = setTimeout(() => finish('open'), 15_000)
    const finish = (ending: Exchange['ending']) => {
      clearTimeout(timer)
      resolve({ text, ending })
    }
    socket.on('data', chunk => {
      text += chunk.toString('latin1')
      if (until(text)) finish('open')
    })
    socket.on('end', () => {
      hasEnded = true
    })
    socket.on('close', () => finish(hasEnded ? 'end' : 'reset'))
  })
}

/** Status of the first answer in `text`; 0 when there is none. */
export const statusIn = (text: string): number => Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0)

/** How many answers `text` holds. */
export const answersIn = (text: string): number => text.match(/HTTP\/1\.1 \d{3}/g)?.length ?? 0
