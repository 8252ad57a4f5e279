// The rows behind a tenant's store, in memory; the store above them is the real one.
import type { KvEntry, KvPort } from '../../../../src/core/ports.ts'

interface Row extends KvEntry {
  readonly place: string
  readonly scope: string
  readonly key: string
}

export function createMemoryKv(): KvPort & { readonly rows: ReadonlyMap<string, Row> } {
  const rows = new Map<string, Row>()
  const nameOf = (place: string, scope: string, key: string) => JSON.stringify([place, scope, key])
  const get = async (tenant: string, space: string, scope: string, key: string) =>
    rows.get(nameOf(`${tenant} ${space}`, scope, key))
  return {
    rows,
    get,
    async getMany(tenant, space, scope, keys) {
      const found = await Promise.all(keys.map(async key => [key, await get(tenant, space, scope, key)] as const))
      return new Map(found.filter((entry): entry is [string, Row] => entry[1] !== undefined))
    },
    async set(tenant, space, scope, key, value) {
      const place = `${tenant} ${space}`
      const name = nameOf(place, scope, key)
      const version = (rows.get(name)?.version ?? 0) + 1
      rows.set(name, { place, scope, key, value, version })
      return { version }
    },
    del: async (tenant, space, scope, key) => rows.delete(nameOf(`${tenant} ${space}`, scope, key)),
    async list(tenant, space, scope, { after, limit }) {
      const own = [...rows.values()].filter(row => row.place === `${tenant} ${space}` && row.scope === scope)
      const sorted = own.sort((one, other) => Buffer.compare(Buffer.from(one.key), Buffer.from(other.key)))
      return sorted.filter(({ key }) => after === undefined || key > after.key).slice(0, limit)
    },
    clear: async () => 0,
  }
}
