/** The host's own HTTP client: descriptors, lifecycle calls and webhooks. One per host, closed with it; follows no redirect. */

import { Agent, request } from 'undici'
import { createGate } from './gate.ts'

export interface AddonClient {
  /** @throws AddonCallError when no complete answer came */
  call(target: AddonCall): Promise<AddonAnswer>
  close(): Promise<void>
}
interface AddonCall {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly timeoutMs: number
  readonly maxBytes: number
}
export interface AddonAnswer {
  readonly status: number
  /** By lower-case name; several of one name joined by a comma. */
  header(name: string): string | undefined
  readonly body: string
}
export type CallFailure = 'timeout' | 'unreachable' | 'too-large'

/** No answer, or not a whole one. */
export class AddonCallError extends Error {
  readonly reason: CallFailure
  constructor(reason: CallFailure, url: string, cause?: unknown) {
    super(`the add-on gave no answer (${reason}): ${new URL(url).origin}`, { cause })
    this.name = 'AddonCallError'
    this.reason = reason
  }
}

/** Connections to one add-on: a thousand installs at once must not need a thousand sockets. */
const CONNECTIONS = 256

export function createAddonClient(closing: AbortSignal): AddonClient {
  const agent = new Agent({ connections: CONNECTIONS })
  // Waiting for a connection of ours is no fault of the add-on: the time starts when the call does.
  const gate = createGate(CONNECTIONS)
  return {
    call: target => gate(new URL(target.url).origin, () => attempt(agent, target, closing)),
    close: () => agent.destroy(),
  }
}

async function attempt(agent: Agent, target: AddonCall, closing: AbortSignal): Promise<AddonAnswer> {
  const timeout = AbortSignal.timeout(target.timeoutMs)
  try {
    return await exchange(agent, target, AbortSignal.any([timeout, closing]))
  } catch (error) {
    if (error instanceof AddonCallError) throw error
    throw new AddonCallError(timeout.aborted ? 'timeout' : 'unreachable', target.url, error)
  }
}

async function exchange(agent: Agent, target: AddonCall, signal: AbortSignal): Promise<AddonAnswer> {
  const { method, url, headers, body } = target
  const response = await request(url, { dispatcher: agent, method, headers, body, signal })
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response.body) {
    const bytes = chunk as Buffer
    size += bytes.length
    if (size > target.maxBytes) throw new AddonCallError('too-large', url)
    chunks.push(bytes)
  }
  return {
    status: response.statusCode,
    header: name => [response.headers[name] ?? []].flat().join(', ') || undefined,
    body: Buffer.concat(chunks).toString('utf8'),
  }
}
