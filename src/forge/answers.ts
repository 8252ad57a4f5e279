/** Answers of the platform's services, and how they read what a guest sent: the one place that knows both shapes. */

import type { GuestRequest, GuestResponse } from './guest/protocol.ts'

const JSON_HEADERS: GuestResponse['headers'] = [['content-type', 'application/json']]

export const jsonAnswer = (status: number, body?: unknown): GuestResponse => ({
  status,
  statusText: '',
  headers: JSON_HEADERS,
  ...(body === undefined ? {} : { body: { text: JSON.stringify(body) } }),
})

/**
 * A refusal of the platform itself and not of who it asked: the SDK throws an error with this code. (Forge protocol s. 4.2,
 * `forge-proxy-error`.)
 */
export const platformRefusal = (status: number, code: string, message: string): GuestResponse => ({
  status,
  statusText: '',
  headers: [...JSON_HEADERS, ['forge-proxy-error', code]],
  body: { text: JSON.stringify({ code, message }) },
})

export function bytesOf({ body }: Pick<GuestRequest, 'body'>): Buffer | undefined {
  if (body === undefined) return undefined
  return 'text' in body ? Buffer.from(body.text, 'utf8') : Buffer.from(body.base64, 'base64')
}

/** `undefined` for what is not JSON. */
export function jsonOf(request: Pick<GuestRequest, 'body'>): unknown {
  try {
    return JSON.parse(bytesOf(request)?.toString('utf8') ?? '')
  } catch {
    return undefined
  }
}

/** A record that a guest sent; `{}` for what is none, which then lacks whatever is needed. */
export const recordOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : {}
