/**
 * The stores of atlassian-connect-express (protocol s. 15): rows of `(clientKey, key, value)`, where the key `clientInfo` holds the
 * install record, and a table beside them that says which Forge installation a tenant became. Readers of the databases it knew.
 */

import { PartywallError } from '../../../core/errors.ts'
import { type RedisClient, readText, scanKeys } from '../../common/redis/client.ts'

/** Data of whoever wrote it; everything is checked. */
export interface OldRow {
  readonly clientKey: string
  readonly key: string
  /** Parsed, or JSON text. `undefined`: it could not be read. */
  readonly value: unknown
}

/** Reads an old store, more than once. @throws PartywallError ERR_IMPORT_SOURCE */
export interface ConnectStoreSource {
  rows(): AsyncIterable<OldRow>
  /** Bare UUIDs or ARIs of installations, where the store knows any. */
  installations?(): AsyncIterable<{ readonly clientKey: string; readonly installationId: string }>
}

/** Runs one statement; resolves to rows as objects. What `pg`, `better-sqlite3`, `mysql2` and Sequelize give is easily made one. */
export type QueryRows = (text: string) => Promise<readonly Readonly<Record<string, unknown>>[]>

export const RECORD_KEY = 'clientInfo'
const PAGE_SIZE = 1_000

/**
 * The tables of its SQL store.
 * @param options.quote  around names: `"` for PostgreSQL and SQLite (default), `` ` `` for MySQL
 * @param options.table  default `AddonSettings`
 * @example databaseRows(async text => (await client.query(text)).rows)
 */
export function databaseRows(
  query: QueryRows,
  { table = 'AddonSettings', quote = '"' }: { readonly table?: string; readonly quote?: '"' | '`' } = {},
): ConnectStoreSource {
  const name = (text: string) => `${quote}${text.replaceAll(quote, quote + quote)}${quote}`
  async function* pages(from: string, columns: readonly string[]) {
    const list = ['id', ...columns].map(name).join(', ')
    for (let last = 0; ; ) {
      const text = `select ${list} from ${name(from)} where id > ${last} order by id limit ${PAGE_SIZE}`
      const rows = await run(query, text)
      yield* rows
      const next = Number(rows.at(-1)?.id)
      if (rows.length < PAGE_SIZE || !(next > last)) return
      last = next
    }
  }
  return {
    async *rows() {
      for await (const { clientKey, key, val } of pages(table, ['clientKey', 'key', 'val']))
        if (typeof clientKey === 'string' && typeof key === 'string') yield { clientKey, key, value: val }
    },
    async *installations() {
      for await (const { clientKey, installationId } of pages('InstallationClientKeys', [
        'clientKey',
        'installationId',
      ]))
        if (typeof clientKey === 'string' && typeof installationId === 'string') yield { clientKey, installationId }
    },
  }
}

async function run(query: QueryRows, text: string) {
  try {
    return await query(text)
  } catch (cause) {
    throw new PartywallError('ERR_IMPORT_SOURCE', { cause, message: 'the old database refused a statement' })
  }
}

/** Its Redis store: `<clientKey>:<key>`, joined without escaping, so the longest client key that fits owns a key. */
export function redisRows(client: RedisClient): ConnectStoreSource {
  const suffix = `:${RECORD_KEY}`
  return {
    async *rows() {
      const clientKeys = new Set<string>()
      for await (const page of scanKeys(client, ''))
        for (const key of page) if (key.endsWith(suffix)) clientKeys.add(key.slice(0, -suffix.length))
      for await (const page of scanKeys(client, '')) {
        for (const whole of page) {
          const clientKey = ownerOf(whole, clientKeys)
          if (clientKey === undefined) continue
          const read = await readText(client, whole)
          if (read === undefined) continue
          yield { clientKey, key: whole.slice(clientKey.length + 1), value: 'text' in read ? read.text : undefined }
        }
      }
    },
    async *installations() {
      for await (const page of scanKeys(client, 'installation:')) {
        for (const key of page) {
          const read = await readText(client, key)
          const installationId = /^installation:(.+);$/.exec(key)?.[1]
          if (installationId !== undefined && read !== undefined && 'text' in read)
            yield { clientKey: read.text, installationId }
        }
      }
    },
  }
}

function ownerOf(key: string, clientKeys: ReadonlySet<string>): string | undefined {
  for (let end = key.lastIndexOf(':'); end > 0; end = key.lastIndexOf(':', end - 1))
    if (clientKeys.has(key.slice(0, end))) return key.slice(0, end)
  return undefined
}

/**
 * One JSON object a line: what `mongoexport` writes of its MongoDB collection, what an export of its DynamoDB table holds, or
 * `{"clientKey", "key", "val"}` of your own making.
 * @param open  opens the file anew, as it is read twice
 * @example jsonLinesRows(() => createInterface({ input: createReadStream('AddonSettings.json') }))
 */
export const jsonLinesRows = (open: () => AsyncIterable<string>): ConnectStoreSource => ({
  async *rows() {
    let line = 0
    for await (const text of open()) {
      line += 1
      if (text.trim() === '') continue
      const { clientKey, key, val } = itemOf(text, line)
      if (typeof clientKey === 'string' && typeof key === 'string') yield { clientKey, key, value: val }
    }
  },
})

function itemOf(text: string, line: number): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    const { Item } = value as { readonly Item?: unknown }
    const item = (Item ?? value) as Record<string, unknown>
    if (typeof item === 'object' && item !== null) return Object.fromEntries(Object.entries(item).map(plain))
  } catch (cause) {
    throw new PartywallError('ERR_IMPORT_SOURCE', { cause, message: `line ${line} is no JSON object` })
  }
  throw new PartywallError('ERR_IMPORT_SOURCE', { message: `line ${line} is no JSON object` })
}

/** DynamoDB writes the type beside each value: `{ "S": "text" }`. */
function plain([name, value]: [string, unknown]): [string, unknown] {
  const { S } = (typeof value === 'object' && value !== null ? value : {}) as { readonly S?: unknown }
  return [name, typeof S === 'string' ? S : value]
}
