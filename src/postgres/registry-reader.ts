/**
 * Reads identities in batches: look-ups of the same moment travel as one statement, the same look-up only once.
 *
 * Every read begins after it was asked for, so an answer is never older than the question. A read that was under way when
 * a change of its identity became known is made again: its answer may be from before.
 */

import { PartywallError } from '../core/errors.ts'

export interface BatchReader<Key, Value> {
  load(id: string, key: Key): Promise<Value | undefined>
  /** Marks the reads under way that `concerns` picks; their answers are thrown away and asked for again. */
  outdate(concerns: (id: string) => boolean): void
}

export interface BatchReaderOptions<Key, Value, Start> {
  /** One statement for all keys. A value that is a promise or thrown by its thunk concerns only its own key. */
  readonly read: (keys: readonly Key[]) => Promise<ReadonlyMap<string, () => Value>>
  /** Notes the circumstances in which a read begins. */
  readonly begin: () => Start
  /** False where the answer took so long, or so much happened meanwhile, that it must be asked for again. */
  readonly isFresh: (start: Start) => boolean
  /** Called with every answer that is handed out. */
  readonly onRead: (value: Value, start: Start) => void
  /** Keys in one statement; default 500. */
  readonly maxBatch?: number
  /** Statements under way; default 2. */
  readonly maxInFlight?: number
}

interface Entry<Key, Value> {
  readonly id: string
  readonly key: Key
  readonly promise: Promise<Value | undefined>
  readonly resolve: (value: Value | undefined) => void
  readonly reject: (error: unknown) => void
  isOutdated: boolean
  tries: number
}

/** A process that never gets an answer in time cannot say anything about the present. */
const MAX_TRIES = 4

export function createBatchReader<Key, Value, Start>(
  options: BatchReaderOptions<Key, Value, Start>,
): BatchReader<Key, Value> {
  const { read, begin, isFresh, onRead, maxBatch = 500, maxInFlight = 2 } = options
  const waiting = new Map<string, Entry<Key, Value>>()
  const inFlight = new Set<readonly Entry<Key, Value>[]>()
  let isScheduled = false

  const schedule = (): void => {
    if (isScheduled || waiting.size === 0 || inFlight.size >= maxInFlight) return
    isScheduled = true
    setImmediate(() => {
      isScheduled = false
      const batch = take()
      if (batch.length > 0) void send(batch)
      schedule()
    })
  }

  const take = (): readonly Entry<Key, Value>[] => {
    const batch: Entry<Key, Value>[] = []
    for (const [id, entry] of waiting) {
      if (batch.length === maxBatch) break
      waiting.delete(id)
      entry.isOutdated = false
      batch.push(entry)
    }
    return batch
  }

  const send = async (batch: readonly Entry<Key, Value>[]): Promise<void> => {
    inFlight.add(batch)
    const start = begin()
    try {
      const found = await read(batch.map(entry => entry.key))
      for (const entry of batch) {
        if (entry.isOutdated || !isFresh(start)) again(entry)
        else settle(entry, found.get(entry.id), start)
      }
    } catch (error) {
      for (const entry of batch) entry.reject(error)
    } finally {
      inFlight.delete(batch)
      schedule()
    }
  }

  const settle = (entry: Entry<Key, Value>, make: (() => Value) | undefined, start: Start): void => {
    try {
      const value = make?.()
      if (value !== undefined) onRead(value, start)
      entry.resolve(value)
    } catch (error) {
      entry.reject(error)
    }
  }

  const again = (entry: Entry<Key, Value>): void => {
    const queued = waiting.get(entry.id)
    if (++entry.tries === MAX_TRIES) entry.reject(tooLate())
    else if (queued === undefined) waiting.set(entry.id, entry)
    else queued.promise.then(entry.resolve, entry.reject)
  }

  return {
    load(id, key) {
      const queued = waiting.get(id) ?? newEntry<Key, Value>(id, key)
      waiting.set(id, queued)
      schedule()
      return queued.promise
    },
    outdate(concerns) {
      for (const batch of inFlight) {
        for (const entry of batch) if (concerns(entry.id)) entry.isOutdated = true
      }
    },
  }
}

function newEntry<Key, Value>(id: string, key: Key): Entry<Key, Value> {
  let resolve: (value: Value | undefined) => void = () => undefined
  let reject: (error: unknown) => void = () => undefined
  const promise = new Promise<Value | undefined>((fulfil, fail) => {
    resolve = fulfil
    reject = fail
  })
  return { id, key, promise, resolve, reject, isOutdated: false, tries: 0 }
}

const tooLate = (): PartywallError =>
  new PartywallError('ERR_STORE_TIMEOUT', {
    message: 'the registry changed or answered too late each time it was read',
    retryAfterSeconds: 1,
  })
