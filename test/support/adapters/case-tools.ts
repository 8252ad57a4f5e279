/** What the cases of the adapters share: checks that read well. */

import assert from 'node:assert/strict'
import { exchange } from '../../e2e/http-raw.ts'
import { INNER_WORDS } from './author.ts'
import { type AdapterTenant, type AdapterWorld, PREFIX } from './world.ts'

/** One behaviour that every adapter has. */
export interface AdapterCase {
  readonly name: string
  run(world: AdapterWorld): Promise<void>
}

export const PRIVATE: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
}

export async function jsonOf(response: Response | Promise<Response>, status = 200): Promise<Record<string, unknown>> {
  const answered = await response
  const text = await answered.text()
  assert.equal(answered.status, status, text)
  return JSON.parse(text) as Record<string, unknown>
}

/** A refusal of ours: status, code, and headers that let nobody keep it. */
export async function assertRefused(response: Response | Promise<Response>, status: number, code: string) {
  const answered = await response
  const text = await answered.text()
  assert.equal(answered.status, status, text)
  assert.equal((JSON.parse(text) as { error: { code: string } }).error.code, code)
  assertPrivate(answered)
}

export function assertPrivate({ headers }: Response): void {
  for (const [name, value] of Object.entries(PRIVATE)) assert.equal(headers.get(name), value, name)
  assert.equal(headers.get('x-powered-by'), null)
  assert.equal(headers.get('access-control-allow-origin'), null)
}

export function assertShowsNothing(text: string): void {
  assert.ok(!text.includes(INNER_WORDS), text)
  assert.doesNotMatch(text, /\/srv|\.ts\b|node:internal|\n\s+at /)
}

/** What came back for a request written by hand; the connection ends with it. */
export async function raw(
  world: AdapterWorld,
  method: string,
  target: string,
  headers: readonly string[] = [],
): Promise<string> {
  const head = [`${method} ${target} HTTP/1.1`, 'Host: localhost', 'Connection: close', ...headers].join('\r\n')
  return (await exchange(world.server.port, [`${head}\r\n\r\n`])).text
}

/** `/own/whoami` below the prefix, as raw requests need it. */
export const below = (path: string): string => PREFIX + path

export const bearer = (tenant: AdapterTenant): string => `Authorization: JWT ${tenant.token()}`

export const post = (body: string, headers: Readonly<Record<string, string>> = {}): RequestInit => ({
  method: 'POST',
  body,
  headers: { 'content-type': 'application/json', ...headers },
})
