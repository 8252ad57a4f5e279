/**
 * What the wall costs the store, measured in one interleaved run: every round runs every variant, forward and backward in
 * turn, and a ratio is the median of the rounds' own ratios.
 *
 * BENCH_ROUNDS (7) and BENCH_OPS (4,000) set the size. The database is a throw-away one of PARTYWALL_TEST_ADMIN_URL or of the
 * embedded server; the bare tables are made in it.
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

export interface Row {
  readonly row: string
  readonly base: string
  /** Work per second, base = 1. */
  readonly ratio: number
  /** Lowest and highest ratio of a round. */
  readonly spread: readonly [number, number]
  readonly goal: string
  readonly met: boolean
  readonly n: string
}

interface Variant {
  /** One call; `keys` of them count. */
  readonly call: () => Promise<unknown>
  readonly keys: number
  /** Share of the operations of a round; writes wait for the disk. */
  readonly share: number
}

const TENANTS = 1_000
const KEYS = 100
const IN_FLIGHT = 64
const CONNECTIONS = 4

/** @param options.json no progress on the console */
export async function run({ json = false }: { readonly json?: boolean } = {}): Promise<Row[]> {
  const rounds = Number(process.env.BENCH_ROUNDS ?? 7)
  const operations = Number(process.env.BENCH_OPS ?? 4_000)
  const made = await createTestDatabase()
  const opened: (() => Promise<unknown>)[] = [() => made.close()]
  try {
    await seed(made)
    const variants = await createVariants(made, opened)
    const rates = await measure(variants, rounds, operations, json)
    return GOALS.map(goal => toRow(goal, rates, `${rounds} x ${operations}`))
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

async function createVariants(
  made: TestDatabase,
  opened: (() => Promise<unknown>)[],
): Promise<Readonly<Record<string, Variant>>> {
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

  const coalesced = (keys: number): Variant => ({
    keys,
    share: 1,
    call: async () => {
      const store = storeOf()
      const start = random(KEYS)
      const names = Array.from({ length: keys }, (_, index) => `key-${(start + index) % KEYS}`)
      for (const found of await Promise.all(names.map(name => store.get(name)))) need(found)
    },
  })
  return {
    'stock pg, pipelined, bare read': {
      keys: 1,
      share: 1,
      call: async () => {
        const client = stock[turn++ % stock.length]
        const result = await client?.query({ ...READ, values: [anyId()] })
        need(result?.rows[0]?.value)
      },
    },
    'lean bare read': {
      keys: 1,
      share: 1,
      call: async () => {
        const rows = await lean.query(READ, [anyId()])
        need(JSON.parse(rows[0]?.[0] ?? 'null'))
      },
    },
    'store get, walled': { keys: 1, share: 1, call: async () => need(await storeOf().get(anyKey())) },
    '4 coalesced keys': coalesced(4),
    '8 coalesced keys': coalesced(8),
    '16 coalesced keys': coalesced(16),
    'lean bare update': { keys: 1, share: 0.5, call: () => lean.query(UPDATE, [anyId(), JSON.stringify(value)]) },
    'store set, walled, durable': { keys: 1, share: 0.5, call: () => storeOf().set(anyKey(), value) },
  }
}

async function openStock(url: string): Promise<pg.Client[]> {
  const clients = Array.from({ length: CONNECTIONS }, () => new pg.Client({ connectionString: url, pipeline: true }))
  await Promise.all(clients.map(client => client.connect()))
  return clients
}

/** Operations per second of every variant, one number per round. */
async function measure(
  variants: Readonly<Record<string, Variant>>,
  rounds: number,
  operations: number,
  quiet: boolean,
): Promise<ReadonlyMap<string, number[]>> {
  const names = Object.keys(variants)
  const rates = new Map<string, number[]>(names.map(name => [name, []]))
  for (let round = -1; round < rounds; round++) {
    for (const name of round % 2 === 0 ? names : [...names].reverse()) {
      const variant = variants[name]
      if (variant === undefined) continue
      const rate = await rateOf(variant, operations * variant.share)
      // The first round warms up: connections, plans, pages, compiled code.
      if (round >= 0) rates.get(name)?.push(rate)
    }
    if (!quiet && round >= 0) console.error(`round ${round + 1} of ${rounds}`)
  }
  return rates
}

async function rateOf({ call, keys }: Variant, operations: number): Promise<number> {
  const calls = Math.ceil(operations / keys)
  let left = calls
  const work = async (): Promise<void> => {
    while (left-- > 0) await call()
  }
  const start = performance.now()
  await Promise.all(Array.from({ length: Math.max(1, Math.floor(IN_FLIGHT / keys)) }, work))
  return (calls * keys * 1_000) / (performance.now() - start)
}

function toRow({ row, base, least }: (typeof GOALS)[number], rates: ReadonlyMap<string, number[]>, n: string): Row {
  const bases = rates.get(base) ?? []
  const ratios = (rates.get(row) ?? []).map((rate, index) => rate / (bases[index] ?? Number.NaN)).sort((a, b) => a - b)
  const ratio = ratios[Math.floor(ratios.length / 2)] ?? Number.NaN
  const spread = [round(ratios[0]), round(ratios.at(-1))] as const
  return { row, base, ratio: round(ratio), spread, goal: `>= ${least}`, met: ratio >= least, n }
}

const random = (below: number): number => Math.floor(Math.random() * below)

const tenantAt = (index: number): TenantUid =>
  tenantUid(`00000000-0000-7000-8000-${index.toString(16).padStart(12, '0')}`)

const round = (ratio = Number.NaN): number => Math.round(ratio * 100) / 100

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
