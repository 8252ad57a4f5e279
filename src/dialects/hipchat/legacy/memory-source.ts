/** The memory store of the old libraries, as a dump of it: full keys and values. */

import type { OldStoreSource } from './old-store.ts'

const PAGE_SIZE = 500

/**
 * @param entries  full keys, such as `ack:tenant:<id>:data:greeting`, and their values; a Map, or an object as JSON has it
 * @example memoryStoreSource(JSON.parse(await readFile('dump.json', 'utf8')))
 */
export function memoryStoreSource(
  entries: ReadonlyMap<string, unknown> | Readonly<Record<string, unknown>>,
): OldStoreSource {
  const values: ReadonlyMap<string, unknown> = entries instanceof Map ? entries : new Map(Object.entries(entries))
  return {
    async *keys(prefix) {
      const keys = [...values.keys()].filter(key => key.startsWith(prefix))
      for (let at = 0; at < keys.length; at += PAGE_SIZE) yield keys.slice(at, at + PAGE_SIZE)
    },
    read: async keys =>
      keys.map(key => {
        const text: string | undefined = JSON.stringify(values.get(key))
        return text === undefined ? undefined : { text }
      }),
  }
}
