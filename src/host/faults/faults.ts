/** Faults a test may ask the host for: which calls they hit, how often, and what they do to the answer. */

import { setTimeout as delay } from 'node:timers/promises'
import type { ErrorReply } from '../server/api-error.ts'
import type { Reply } from '../server/reply.ts'

export type FaultPoint = 'capabilities' | 'token' | 'rest' | 'installable'
export type FaultEffect =
  | { readonly kind: 'status'; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  /** Answers as usual, later. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** Accepts the call and never answers. */
  | { readonly kind: 'hang' }
  /** Cuts the connection. */
  | { readonly kind: 'reset' }
  | { readonly kind: 'redirect'; readonly location: string }
  /** A JSON answer of this size. */
  | { readonly kind: 'oversize'; readonly bytes: number }
  /** Answers with this text instead: HTML where JSON was asked for, half a document, nothing. */
  | { readonly kind: 'body'; readonly status: number; readonly contentType: string; readonly text: string }
  /** Edits the JSON answer of a call that went well: odd `expires_in`, a wrong `links.self` ... */
  | { readonly kind: 'change'; readonly change: (document: Record<string, unknown>) => unknown }

/** @typeParam Point where this kind of host can fail */
export interface Fault<Point extends string = FaultPoint> {
  readonly at: Point
  readonly effect: FaultEffect
  /** Only calls with this installation's credentials. Those of `capabilities` and `installable` carry none. */
  readonly oauthId?: string
  /** How many calls it hits; default: all until removed. */
  readonly times?: number
}

export interface Faults<Point extends string = FaultPoint> {
  /** @returns the way to end the fault */
  inject(fault: Fault<Point>): () => void
  clear(): void
}

export interface FaultTable<Point extends string = FaultPoint> extends Faults<Point> {
  /** Runs a call under the first fault that is meant for it. */
  apply(at: Point, oauthId: string | undefined, work: () => Reply | Promise<Reply>): Promise<Reply>
}

/** @param closing aborted when the host closes: delays end */
export function createFaults<Point extends string = FaultPoint>(
  closing: AbortSignal,
  errorReply: ErrorReply,
): FaultTable<Point> {
  const active: { fault: Fault<Point>; left: number }[] = []
  const take = (at: Point, oauthId: string | undefined): FaultEffect | undefined => {
    const index = active.findIndex(
      ({ fault }) => fault.at === at && (fault.oauthId === undefined || fault.oauthId === oauthId),
    )
    const entry = active[index]
    if (entry === undefined) return undefined
    entry.left -= 1
    if (entry.left <= 0) active.splice(index, 1)
    return entry.fault.effect
  }
  return {
    inject: fault => {
      const entry = { fault, left: fault.times ?? Number.POSITIVE_INFINITY }
      active.push(entry)
      return () => {
        const index = active.indexOf(entry)
        if (index >= 0) active.splice(index, 1)
      }
    },
    clear: () => {
      active.length = 0
    },
    apply: async (at, oauthId, work) => {
      const effect = take(at, oauthId)
      return effect === undefined ? work() : run(effect, work, { closing, errorReply })
    },
  }
}

async function run(
  effect: FaultEffect,
  work: () => Reply | Promise<Reply>,
  { closing, errorReply }: { readonly closing: AbortSignal; readonly errorReply: ErrorReply },
): Promise<Reply> {
  switch (effect.kind) {
    case 'status':
      return errorReply(effect.status, 'A fault was asked for.', effect.headers)
    case 'delay':
      await delay(effect.ms, undefined, { signal: closing })
      return work()
    case 'hang':
    case 'reset':
      return { status: 0, connection: effect.kind }
    case 'redirect':
      return { status: 302, headers: { location: effect.location } }
    case 'oversize':
      return { status: 200, json: { padding: 'x'.repeat(effect.bytes) } }
    case 'body':
      return { status: effect.status, content: { type: effect.contentType, body: effect.text } }
    case 'change':
      return changed(await work(), effect.change)
  }
}

function changed(reply: Reply, change: (document: Record<string, unknown>) => unknown): Reply {
  const isDocument = reply.status === 200 && typeof reply.json === 'object' && reply.json !== null
  return isDocument ? { ...reply, json: change(structuredClone(reply.json) as Record<string, unknown>) } : reply
}
