/**
 * Load over kept connections, as lean as it can be in Node: requests are bytes made before the clock starts, answers are told
 * apart by their content length alone, and any status but 200 ends the run. What is measured is the server, in another process.
 */

import { connect, type Socket } from 'node:net'

export interface Load {
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
}

/** What a browser sends along when it opens a page in a frame. */
const BROWSER = [
  'host: addon.example.com',
  'connection: keep-alive',
  'user-agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36',
  'accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
  'accept-encoding: gzip, deflate, br, zstd',
  'accept-language: en-GB,en;q=0.9',
  'referer: https://acme.hipchat.com/',
  'sec-fetch-dest: iframe',
  'sec-fetch-mode: navigate',
  'sec-fetch-site: cross-site',
  'upgrade-insecure-requests: 1',
]

/** A GET of this target, ready to be written. */
export const getRequest = (target: string): Buffer =>
  Buffer.from([`GET ${target} HTTP/1.1`, ...BROWSER, '', ''].join('\r\n'))

/** Sends each request once, at most `connections` under way. @throws Error for any answer but a 200 */
export async function drive(url: string, requests: readonly Buffer[], connections: number): Promise<Load> {
  const { hostname, port } = new URL(url)
  const times: number[] = []
  let next = 0
  const take = () => requests[next++]
  const start = performance.now()
  await Promise.all(Array.from({ length: connections }, () => work(connect(Number(port), hostname), take, times)))
  const seconds = (performance.now() - start) / 1_000
  times.sort((a, b) => a - b)
  const at = (share: number) => times[Math.floor(times.length * share)] ?? Number.NaN
  return { perSecond: times.length / seconds, p50Ms: at(0.5), p99Ms: at(0.99) }
}

function work(socket: Socket, take: () => Buffer | undefined, times: number[]): Promise<void> {
  return new Promise((resolve, reject) => {
    let sentAt = 0
    let received = ''
    const send = () => {
      const request = take()
      if (request === undefined) {
        socket.end()
        resolve()
        return
      }
      sentAt = performance.now()
      socket.write(request)
    }
    socket.setNoDelay(true)
    socket.setEncoding('latin1')
    socket.on('connect', send)
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('the server closed a connection')))
    socket.on('data', (chunk: string) => {
      received += chunk
      const length = lengthOfAnswer(received)
      if (length === undefined || received.length < length) return
      if (!received.startsWith('HTTP/1.1 200 ')) {
        socket.destroy(new Error(`answered ${received.slice(0, 300)}`))
        return
      }
      times.push(performance.now() - sentAt)
      received = received.slice(length)
      send()
    })
  })
}

const LAST_CHUNK = '\r\n0\r\n\r\n'

/** Head and body together; `undefined` while it is not known. Bodies of these pages are short texts without line ends. */
function lengthOfAnswer(received: string): number | undefined {
  const end = received.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const head = received.slice(0, end)
  const [, length] = /\r\ncontent-length: *(\d+)/i.exec(head) ?? []
  if (length !== undefined) return end + 4 + Number(length)
  if (!/\r\ntransfer-encoding: *chunked/i.test(head)) throw new Error(`an answer without length: ${head}`)
  const last = received.indexOf(LAST_CHUNK, end)
  return last < 0 ? undefined : last + LAST_CHUNK.length
}
