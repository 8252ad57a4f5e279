/**
 * What the wall costs the store: walled gets and sets against bare reads and writes over the same connections, 64 in flight.
 *
 * A family of rows for `main.ts`. The database is a throw-away one; the bare tables are made in it.
 */

import pg from 'pg'
import type { TenantContext } from '../src/core/context.ts'
import { newIdentityUid, type TenantUid, tenantUid } from '../src/core/ids.ts'
import { IdentitySecrets, type JsonValue } from '../src/core/tenant.ts'
import { createTenantStore } from '../src/core/tenant-store.ts'
import { createPlainPool } from '../src/postgres/bound-query.ts'
import { parseDatabaseUrl } from '../src/postgres/database-url.ts'
import { createKv } from '../src/postgres/kv.ts'
import { createPool } from '../src/postgres/pool.ts'
import { createTestDatabase, type TestDatabase } from '../test/support/database.ts'
import { type BenchOptions, callAll, measure, measureInterleaved, type Row, ratioRow, type Variant } from './measure.ts'
import { type Meter, openMeter } from './processor-time.ts'

const TENANTS = 1_000
const KEYS = 100
const IN_FLIGHT = 64
const CONNECTIONS = 4

const OPERATIONS = 4_000

export async function benchStore(options: BenchOptions): Promise<Row[]> {
  const operations = options.operations ?? OPERATIONS
  const made = await createTestDatabase()
  const opened: (() => Promise<unknown>)[] = [() => made.close()]
  try {
    await seed(made)
    const meter = await openMeter(made.urls.admin)
    opened.push(() => meter.close())
    const calls = await createCalls(made, opened)
    const variants = calls.map(call => variant(meter, call))
    const samples = await measureInterleaved(variants, operations, options)
    return GOALS.map(goal => ratioRow(goal, samples, `${options.rounds} x ${operations}`))
  } finally {
    for (const close of opened.reverse()) await close()
  }
}

const GOALS = [
  { row: 'store get, walled', base: 'stock pg, pipelined, bare read', least: 1.25 },
  { row: 'store get, walled', base: 'lean bare read', least: 0.6 },
  { row: 'store set, walled, durable', base: 'lean bare update', least: 0.95 },
  { row: '4 coalesced keys', base: 'lean bare read', least: 1 },
  { row: '8 coalesced keys', base: 'lean bare read', least: 1 },
  { row: '16 coalesced keys', base: 'lean bare read', least: 1 },
] as const

async function seed({ admin }: TestDatabase): Promise<void> {
  const value = "json_build_object('n', k, 'pad', repeat('x', 100))"
  const series = `generate_series(0, ${TENANTS - 1}) t, generate_series(0, ${KEYS - 1}) k`
  for (const text of [
    'create schema bench',
    'grant usage on schema bench to pw_app',
    'create table bench.bare (id int primary key, value json not null) with (fillfactor = 90)',
    `insert into bench.bare select t * ${KEYS} + k, ${value} from ${series}`,
    'grant select, update on bench.bare to pw_app',
    `insert into pw.kv (tenant_id, space, scope, key, value)
      select ('00000000-0000-7000-8000-' || lpad(to_hex(t), 12, '0'))::uuid, 'store', '', 'key-' || k, ${value} from ${series}`,
    'vacuum analyze pw.kv',
    'vacuum analyze bench.bare',
  ]) {
    await admin(text)
  }
}

async function createCalls(made: TestDatabase, opened: (() => Promise<unknown>)[]): Promise<Call[]> {
  const stock = await openStock(made.urls.app)
  opened.push(() => Promise.all(stock.map(client => client.end())))
  const pool = createPool({
    client: parseDatabaseUrl(made.urls.app).client,
    mode: 'named',
    connectTimeoutMs: 3_000,
    answerTimeoutMs: 6_000,
    acquireTimeoutMs: 10_000,
    shared: CONNECTIONS,
    exclusive: 1,
  })
  opened.push(() => pool.close())
  const lean = createPlainPool(pool)
  const kv = createKv(made.database.app)
  const clock = { now: () => Date.now(), monotonic: () => performance.now() }
  // What a request brings along is measured elsewhere: contexts are made before, a store is made for each call.
  const contexts = Array.from({ length: TENANTS }, (_, index) => liveContext(tenantAt(index)))
  const cursorKey = Buffer.alloc(32)
  const storeOf = () => {
    const context = contexts[random(TENANTS)]
    if (context === undefined) throw new TypeError('no such tenant')
    return createTenantStore({ context, kv, space: 'store', cursorKey, clock })
  }
  const anyKey = () => `key-${random(KEYS)}`
  const anyId = () => String(random(TENANTS * KEYS))
  const READ = { name: 'bench_read', text: 'select value from bench.bare where id = $1' }
  const UPDATE = { name: 'bench_update', text: 'update bench.bare set value = $2 where id = $1' }
  const value = { n: 1, pad: 'y'.repeat(100) }
  let turn = 0

  const coalesced = (keys: number): Call => ({
    row: `${keys} coalesced keys`,
    keys,
    async run() {
      const store = storeOf()
      const start = random(KEYS)
      const names = Array.from({ length: keys }, (_, index) => `key-${(start + index) % KEYS}`)
      for (const found of await Promise.all(names.map(name => store.get(name)))) need(found)
    },
  })
  return [
    {
      row: 'stock pg, pipelined, bare read',
      async run() {
        const client = stock[turn++ % stock.length]
        const result = await client?.query({ ...READ, values: [anyId()] })
        need(result?.rows[0]?.value)
      },
    },
    {
      row: 'lean bare read',
      async run() {
        const rows = await lean.query(READ, [anyId()])
        need(JSON.parse(rows[0]?.[0] ?? 'null'))
      },
    },
    { row: 'store get, walled', run: async () => need(await storeOf().get(anyKey())) },
    coalesced(4),
    coalesced(8),
    coalesced(16),
    // Writes wait for the disk: half as many.
    { row: 'lean bare update', run: () => lean.query(UPDATE, [anyId(), JSON.stringify(value)]), share: 0.5 },
    { row: 'store set, walled, durable', run: () => storeOf().set(anyKey(), value), share: 0.5 },
  ]
}

interface Call {
  readonly row: string
  run(): Promise<unknown>
  /** How many keys a call asks for; each counts. */
  readonly keys?: number
  /** Of a round's operations. */
  readonly share?: number
}

function variant(meter: Meter, { row, run, keys = 1, share = 1 }: Call): Variant {
  return async operations => {
    const calls = Math.ceil((operations * share) / keys)
    return { [row]: await measure(meter, calls * keys, () => callAll(calls, Math.floor(IN_FLIGHT / keys), run)) }
  }
}

async function openStock(url: string): Promise<pg.Client[]> {
  const clients = Array.from({ length: CONNECTIONS }, () => new pg.Client({ connectionString: url, pipeline: true }))
  await Promise.all(clients.map(client => client.connect()))
  return clients
}

const random = (below: number): number => Math.floor(Math.random() * below)

const tenantAt = (index: number): TenantUid =>
  tenantUid(`00000000-0000-7000-8000-${index.toString(16).padStart(12, '0')}`)

function need(value: JsonValue | undefined): void {
  if (typeof value !== 'object' || value === null || !('pad' in value)) throw new Error('a read gave no row')
}

/** A context that is live; what the registry would do is measured elsewhere. */
function liveContext(tenant: TenantUid): TenantContext {
  return {
    tenantUid: tenant,
    mode: 'full',
    signal: NEVER.signal,
    isRevoked: false,
    ensureLive: () => undefined,
    identity: { ...IDENTITY, tenantUid: tenant },
  }
}

const NEVER = new AbortController()
const IDENTITY = {
  app: 'com.example.bench',
  environment: 'bench',
  dialect: 'hipchat',
  externalId: 'installation',
  uid: newIdentityUid(),
  host: 'hipchat.example',
  state: 'installed',
  version: 1,
  secretVersion: 1,
  orderedAt: 0,
  attributes: {},
  region: 'global',
  hold: 'none',
  secrets: new IdentitySecrets(new Map()),
} as const
