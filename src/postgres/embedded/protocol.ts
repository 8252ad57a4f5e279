/**
 * What an app and the keeper say to each other: lines of JSON. The app says one thing only, `close`; a connection that ends
 * without it has broken.
 */

import type { Readable } from 'node:stream'
import { ERRORS, type ErrorCode } from '../../core/errors.ts'

/** Grows when the lines below change their meaning. */
export const PROTOCOL = 1

export type Facts = Readonly<Record<string, string | number | boolean>>

export type KeeperMessage =
  | { readonly kind: 'progress'; readonly event: string; readonly facts: Facts }
  | {
      readonly kind: 'ready'
      readonly protocol: number
      readonly host: string
      readonly port: number
      readonly version: string
    }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string }

/** What a keeper says on its standard output, once, before any connection. */
export type KeeperGreeting = { readonly kind: 'listening' | 'busy' } | Extract<KeeperMessage, { kind: 'failed' }>

/** What an app asks a new keeper to keep, its one command line argument. */
export interface KeeperOrder {
  /** The app's data folder, absolute, without symbolic links. */
  readonly folder: string
  readonly bin: string
  /** The folder around `bin` when it comes from npm: its libraries may lack their links. */
  readonly native: string | undefined
  readonly graceMs: number
}

export const CLOSE = 'close'

export const encode = (message: KeeperMessage | KeeperGreeting): string => `${JSON.stringify(message)}\n`

/** @throws SyntaxError, TypeError when the line is none of ours */
export function decodeMessage(line: string): KeeperMessage {
  const value = record(JSON.parse(line))
  if (value.kind === 'progress') return { kind: 'progress', event: text(value.event), facts: facts(value.facts) }
  if (value.kind === 'failed') return { kind: 'failed', code: errorCode(value.code), message: text(value.message) }
  if (value.kind !== 'ready') throw new TypeError('not a message of a keeper')
  const { protocol, host, port, version } = value
  return { kind: 'ready', protocol: integer(protocol), host: text(host), port: integer(port), version: text(version) }
}

/** @throws SyntaxError, TypeError */
export function decodeGreeting(line: string): KeeperGreeting {
  const value = record(JSON.parse(line))
  if (value.kind === 'listening' || value.kind === 'busy') return { kind: value.kind }
  const message = decodeMessage(line)
  if (message.kind !== 'failed') throw new TypeError('not a greeting of a keeper')
  return message
}

/** @throws SyntaxError, TypeError */
export function decodeOrder(argument: string): KeeperOrder {
  const { folder, bin, native, graceMs } = record(JSON.parse(argument))
  return {
    folder: text(folder),
    bin: text(bin),
    native: native === undefined ? undefined : text(native),
    graceMs: integer(graceMs),
  }
}

/** Calls back for each whole line that arrives. */
export function onLines(stream: Readable, listener: (line: string) => void): void {
  let rest = ''
  stream.setEncoding('utf8')
  stream.on('data', (chunk: string | Buffer) => {
    const lines = (rest + String(chunk)).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) listener(line)
  })
}

function record(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError('not an object')
  return value as Record<string, unknown>
}

function text(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError('not a string')
  return value
}

function integer(value: unknown): number {
  if (!Number.isSafeInteger(value)) throw new TypeError('not an integer')
  return value as number
}

function errorCode(value: unknown): ErrorCode {
  const code = text(value)
  return Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : 'ERR_EMBEDDED_UNAVAILABLE'
}

function facts(value: unknown): Facts {
  const kept: Record<string, string | number | boolean> = {}
  for (const [name, fact] of Object.entries(record(value))) {
    if (typeof fact === 'string' || typeof fact === 'number' || typeof fact === 'boolean') kept[name] = fact
  }
  return kept
}
