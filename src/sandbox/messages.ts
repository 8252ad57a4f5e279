/**
 * What travels on the channel, as types, and the reading of what a guest sends: its code may write anything there, so nothing is
 * taken that was not checked. A message never names an instance; who sent it the supervisor knows from the channel.
 */

import type { JsonValue } from '../core/tenant.ts'
import type { SandboxLogLine } from './types.ts'

export type ToGuest =
  | { readonly type: 'ping' }
  | { readonly type: 'call'; readonly id: number; readonly payload: JsonValue }
  | { readonly type: 'answer'; readonly id: number; readonly value: JsonValue }
  | { readonly type: 'refusal'; readonly id: number; readonly error: GuestFailure }

export type FromGuest =
  | { readonly type: 'ready' }
  | { readonly type: 'pong' }
  | { readonly type: 'failed'; readonly error: GuestFailure }
  | { readonly type: 'result'; readonly id: number; readonly value: JsonValue }
  | { readonly type: 'threw'; readonly id: number; readonly error: GuestFailure }
  | {
      readonly type: 'request'
      readonly id: number
      readonly call: number
      readonly name: string
      readonly payload: JsonValue
    }
  | { readonly type: 'log'; readonly call: number; readonly level: SandboxLogLine['level']; readonly text: string }

/** An error without its prototype. */
export interface GuestFailure {
  readonly name: string
  readonly message: string
  readonly stack?: string | undefined
  readonly code?: string | undefined
}

const LEVELS: ReadonlySet<unknown> = new Set(['debug', 'info', 'warn', 'error'])
const MAX_ERROR_TEXT = 16 * 1024

/** @returns `undefined` for what no guest of ours sends */
export function readFromGuest(message: unknown): FromGuest | undefined {
  if (!isRecord(message)) return undefined
  const { type, id, call, name, level, text } = message
  switch (type) {
    case 'ready':
    case 'pong':
      return { type }
    case 'failed':
      return { type, error: readFailure(message.error) }
    case 'result':
      return isId(id) ? { type, id, value: jsonOf(message.value) } : undefined
    case 'threw':
      return isId(id) ? { type, id, error: readFailure(message.error) } : undefined
    case 'request':
      if (!isId(id) || !isId(call) || typeof name !== 'string') return undefined
      return { type, id, call, name, payload: jsonOf(message.payload) }
    case 'log':
      if (!isId(call) || !LEVELS.has(level) || typeof text !== 'string') return undefined
      return { type, call, level: level as SandboxLogLine['level'], text }
    default:
      return undefined
  }
}

function readFailure(given: unknown): GuestFailure {
  const error = isRecord(given) ? given : {}
  const text = (value: unknown) => (typeof value === 'string' ? value.slice(0, MAX_ERROR_TEXT) : undefined)
  return {
    name: text(error.name) ?? 'Error',
    message: text(error.message) ?? '',
    stack: text(error.stack),
    code: text(error.code),
  }
}

// It came out of JSON.parse.
const jsonOf = (value: unknown): JsonValue => (value === undefined ? null : (value as JsonValue))
const isId = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
