/** Speaks HTTP to the probe: an ordinary client over kept connections, and raw sockets for what no client would send. */

import { once } from 'node:events'
import { Agent, type IncomingHttpHeaders, request as openRequest } from 'node:http'
import { connect } from 'node:net'

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** The body read as JSON; `undefined` when it is none. */
  readonly json: Readonly<Record<string, unknown>> | undefined
  readonly ms: number
}

export interface Call {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  /** An object is sent as JSON; text and bytes go as they are, without a content type. */
  readonly body?: unknown
  readonly timeoutMs?: number
}

export interface Client {
  send(target: string, call?: Call): Promise<Answer>
  /** Writes bytes to a new connection and returns all that comes back until it closes, or `idleMs` of silence. */
  raw(bytes: string | Buffer, idleMs?: number): Promise<{ readonly text: string; readonly closed: boolean }>
  close(): void
}

/** @param inspect  sees every answer, so that general promises are checked on all of them */
export function createClient(port: number, inspect: (target: string, answer: Answer) => void): Client {
  const agent = new Agent({ keepAlive: true, maxSockets: 40 })
  return {
    async send(target, call = {}) {
      const answer = await exchange(agent, port, target, call)
      inspect(target, answer)
      return answer
    },
    raw: (bytes, idleMs = 1500) => exchangeBytes(port, bytes, idleMs),
    close: () => agent.destroy(),
  }
}

async function exchange(agent: Agent, port: number, target: string, call: Call): Promise<Answer> {
  const started = performance.now()
  const isPlain = typeof call.body === 'string' || Buffer.isBuffer(call.body)
  const bytes =
    call.body === undefined ? undefined : Buffer.from(isPlain ? (call.body as string) : JSON.stringify(call.body))
  const headers: Record<string, string | string[]> = {}
  if (bytes !== undefined) headers['content-length'] = String(bytes.length)
  if (bytes !== undefined && !isPlain) headers['content-type'] = 'application/json'
  for (const [name, value] of Object.entries(call.headers ?? {})) {
    headers[name] = typeof value === 'string' ? value : [...value]
  }
  const request = openRequest({ agent, host: '127.0.0.1', port, path: target, method: call.method ?? 'GET', headers })
  request.setTimeout(call.timeoutMs ?? 30_000, () => request.destroy(new Error(`no answer: ${target.slice(0, 80)}`)))
  request.end(bytes)
  const [response] = (await once(request, 'response')) as [import('node:http').IncomingMessage]
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk)
  const text = Buffer.concat(chunks).toString()
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    text,
    json: readJson(text),
    ms: performance.now() - started,
  }
}

function readJson(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

async function exchangeBytes(port: number, bytes: string | Buffer, idleMs: number) {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  return new Promise<{ text: string; closed: boolean }>(resolve => {
    let text = ''
    const finish = (closed: boolean): void => {
      socket.destroy()
      resolve({ text, closed })
    }
    socket.setTimeout(idleMs, () => finish(false))
    socket.on('data', chunk => {
      text += chunk.toString('latin1')
    })
    // A reset is an answer too: the server would not go on.
    socket.on('error', () => finish(true))
    socket.on('end', () => finish(true))
    socket.write(bytes)
  })
}
