/** Read, change, write back: `update` as compare and set on the version, tried again when somebody else was faster. */

import { setTimeout as pause } from 'node:timers/promises'
import { isPartywallError, PartywallError } from './errors.ts'
import type { Clock, KvEntry } from './ports.ts'
import { decodeValue, encodeValue } from './store-values.ts'
import type { JsonValue } from './tenant.ts'

/** One key of one store, each call checked against the context. */
export interface Cell {
  read(): Promise<KvEntry | undefined>
  /** @throws ERR_VERSION_CONFLICT */
  write(text: string, ifVersion: number): Promise<unknown>
  /** False when the version is another one by now. */
  remove(ifVersion: number): Promise<boolean>
}

export type Change = (value: JsonValue | undefined) => unknown

/** Tries, pauses and time taken together: what a caller may have to wait before it is told to come again. */
const MAX_TRIES = 32
const MAX_TOTAL_MS = 10_000
const MAX_PAUSE_MS = 200

/**
 * @returns a copy of what was stored, `undefined` when `change` gave `undefined` and the key is gone
 * @throws ERR_UPDATE_CONTENTION after 32 tries or 10 seconds; whatever `change` throws, with nothing written
 */
export async function updateEntry(cell: Cell, change: Change, clock: Clock): Promise<JsonValue | undefined> {
  const start = clock.monotonic()
  for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
    if (attempt > 0) {
      if (clock.monotonic() - start > MAX_TOTAL_MS) break
      // A random share of a growing span: rivals fall out of step.
      await pause(Math.random() * Math.min(MAX_PAUSE_MS, 2 ** attempt))
    }
    const present = await cell.read()
    const next = await change(present === undefined ? undefined : decodeValue(present.value))
    if (next === undefined) {
      if (present === undefined || (await cell.remove(present.version))) return undefined
      continue
    }
    const text = encodeValue(next)
    if (await wrote(cell, text, present?.version ?? 0)) return decodeValue(text)
  }
  throw new PartywallError('ERR_UPDATE_CONTENTION', { retryAfterSeconds: 1, details: { tries: MAX_TRIES } })
}

async function wrote(cell: Cell, text: string, ifVersion: number): Promise<boolean> {
  try {
    await cell.write(text, ifVersion)
    return true
  } catch (error) {
    if (isPartywallError(error, 'ERR_VERSION_CONFLICT')) return false
    throw error
  }
}
