/**
 * Reads identities in batches: look-ups of the same moment travel as one statement, the same look-up only once.
 *
 * Every read begins after it was asked for, so an answer is never older than the question. A read that was under way when
 * a change of its identity became known is made again: its answer may be from before.
 */

export interface BatchReader<Key, Value> {
  load(id: string, key: Key): Promise<Value | undefined>
  /** Marks the reads under way that `concerns` picks; their answers are thrown away and asked for again. */
  outdate(concerns: (id: string) => boolean): void
}

export interface BatchReaderOptions<Key, Value> {
  /** One statement for all keys. A value that is a promise or thrown by its thunk concerns only its own key. */
  readonly read: (keys: readonly Key[]) => Promise<ReadonlyMap<string, () => Value>>
  /** Called with every answer that is handed out. */
  readonly onRead?: (value: Value, era: number | undefined) => void
  /** Names the time the read began in; see `onRead`. */
  readonly era?: () => number | undefined
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
}

export function createBatchReader<Key, Value>(options: BatchReaderOptions<Key, Value>): BatchReader<Key, Value> {
  const { read, onRead, era, maxBatch = 500, maxInFlight = 2 } = options
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
    const begun = era?.()
    try {
      const found = await read(batch.map(entry => entry.key))
      for (const entry of batch) settle(entry, found.get(entry.id), begun)
    } catch (error) {
      for (const entry of batch) entry.reject(error)
    } finally {
      inFlight.delete(batch)
      schedule()
    }
  }

  const settle = (entry: Entry<Key, Value>, make: (() => Value) | undefined, begun: number | undefined): void => {
    if (entry.isOutdated) {
      again(entry)
      return
    }
    try {
      const value = make?.()
      if (value !== undefined) onRead?.(value, begun)
      entry.resolve(value)
    } catch (error) {
      entry.reject(error)
    }
  }

  const again = (entry: Entry<Key, Value>): void => {
    const queued = waiting.get(entry.id)
    if (queued === undefined) waiting.set(entry.id, entry)
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
  return { id, key, promise, resolve, reject, isOutdated: false }
}
