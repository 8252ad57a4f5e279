// An HTTP server that writes down what it is asked and answers as a test says.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Recorded {
  readonly method: string
  /** Path and query as they came over the wire. */
  readonly target: string
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: string
}
export interface Reply {
  readonly status: number
  /** An object is sent as JSON, a text as it is. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

export interface RecordingServer {
  /** `http://127.0.0.1:<port>` */
  readonly origin: string
  readonly hostPort: string
  readonly calls: Recorded[]
  reply: (call: Recorded) => Reply | Promise<Reply>
  close(): Promise<void>
}

export async function startRecordingServer(): Promise<RecordingServer> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method = '', url: target = '', headers } = request
      const call = { method, target, headers, body: Buffer.concat(chunks).toString() }
      recording.calls.push(call)
      void Promise.resolve(recording.reply(call)).then(({ status, body, headers: further }) => {
        const isText = typeof body === 'string'
        response.writeHead(status, { ...(isText ? {} : { 'content-type': 'application/json' }), ...further })
        response.end(isText || body === undefined ? body : JSON.stringify(body))
      })
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const hostPort = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const recording: RecordingServer = {
    origin: `http://${hostPort}`,
    hostPort,
    calls: [],
    reply: () => ({ status: 200, body: {} }),
    async close() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
  return recording
}
