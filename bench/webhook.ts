/**
 * What a delivery costs: authenticated, durable, 2xx; then its handler, and its row marked done. The base is a bare durable
 * INSERT of the same payload by stock `pg`, as many in flight, each its own commit.
 *
 * A family of rows for `main.ts`. 100 tenants are installed by real requests of the simulated host; the deliveries themselves go
 * straight into `app.handle(view)`, so neither side has HTTP. Each has its own freshly signed token; what the host does (body,
 * signature) is done before the clock starts.
 */

import { randomUUID } from 'node:crypto'
import type { RequestView } from 'partywall'
import type { Installation } from 'partywall/host'
import {
  type BenchOptions,
  callAll,
  measure,
  measureInterleaved,
  paced,
  type Row,
  ratioRow,
  type Sample,
  timeRow,
  type Variant,
} from './measure.ts'
import { openWorld, type World } from './webhook-world.ts'

const IN_FLIGHT = 64
const PAYLOAD_BYTES = 700
const OPERATIONS = 2_000
const BASE = 'bare durable INSERT, stock pg'
const ACKED = 'webhook acked: authenticated, durable, 2xx'
const ACKED_AT_WORK = 'webhook acked while the work runs'
const DONE = 'webhook done'
const GOALS = [
  { row: ACKED, base: BASE, least: 0.8 },
  { row: ACKED_AT_WORK, base: BASE },
  { row: DONE, base: BASE, least: 0.5 },
] as const
/** `gapMs` between deliveries; `share` of a round's operations. */
const PACES = [
  { row: 'ack to handler start, 300/s', gapMs: 1_000 / 300, share: 0.3, p50Ms: 3, p99Ms: 15 },
  { row: 'ack to handler start, idle', gapMs: 25, share: 0.03, p50Ms: 3, p99Ms: 15 },
] as const
const DONE_WITHIN_MS = 60_000
const WORK_LEFT = `select exists (select from pw.inbox where state = 'due') or exists (select from pw.inbox where state = 'running') as left`

export async function benchWebhook(options: BenchOptions): Promise<Row[]> {
  const operations = options.operations ?? OPERATIONS
  const opened: (() => Promise<unknown>)[] = []
  try {
    const world = await openWorld(opened)
    const times = new Map<string, number[][]>(PACES.map(({ row }) => [row, []]))
    const samples = await measureInterleaved(
      [
        bareInserts(world),
        acceptance(world),
        deliveries(world),
        ...PACES.map(
          (pace): Variant =>
            async count => {
              times.get(pace.row)?.push(await startTimes(world, Math.ceil(count * pace.share), pace.gapMs))
              return {}
            },
        ),
      ],
      operations,
      options,
    )
    return [
      ...GOALS.map(goal => ratioRow(goal, samples, `${options.rounds} x ${operations}`)),
      // The first round warmed up.
      ...PACES.map(pace => timeRow(pace, (times.get(pace.row) ?? []).slice(1))),
    ]
  } finally {
    for (const close of opened.reverse()) await close()
  }
}

const INSERT = { name: 'bench_insert', text: 'insert into bench.bare (id, payload) values ($1, $2)' }

function bareInserts({ clients, installations, meter }: World): Variant {
  return async operations => {
    const rows = Array.from({ length: operations }, (_, index) => {
      const id = randomUUID()
      return [id, bodyOf(installations[index % installations.length], id)]
    })
    const insert = (index: number) => clients[index % clients.length]?.query({ ...INSERT, values: rows[index] ?? [] })
    const insertAll = () => callAll(operations, IN_FLIGHT, async index => insert(index))
    return { [BASE]: await measure(meter, operations, insertAll) }
  }
}

/** Handlers wait until all are accepted: what accepting alone costs. */
function acceptance(world: World): Variant {
  return async operations => {
    const prepared = prepare(world, operations)
    let open = (): void => undefined
    world.handlers.gate = new Promise(resolve => {
      open = resolve
    })
    try {
      return { [ACKED]: await measure(world.meter, operations, () => deliverAll(world, prepared)) }
    } finally {
      open()
      world.handlers.gate = undefined
      await allDone(world, operations)
    }
  }
}

/** The whole way: handlers run as soon as their delivery is accepted, beside the acceptance of others. */
function deliveries(world: World): Variant {
  return async operations => {
    const prepared = prepare(world, operations)
    let acked: Sample | undefined
    const done = await measure(world.meter, operations, async () => {
      acked = await measure(world.meter, operations, () => deliverAll(world, prepared))
      await allDone(world, operations)
    })
    return { ...(acked && { [ACKED_AT_WORK]: acked }), [DONE]: done }
  }
}

/** Milliseconds from each 2xx to the start of its handler; below 0 where the handler was first. */
async function startTimes(world: World, count: number, gapMs: number): Promise<number[]> {
  const prepared = prepare(world, count)
  const acked = new Map<string, number>()
  await paced(count, gapMs, async index => {
    await deliver(world, prepared[index])
    acked.set(prepared[index]?.id ?? '', performance.now())
  })
  await allDone(world, count)
  return prepared.map(({ id }) => (world.begun.get(id) ?? Number.NaN) - (acked.get(id) ?? Number.NaN))
}

interface Prepared {
  readonly id: string
  readonly view: RequestView
}

function prepare({ installations, path, begun, handlers }: World, count: number): Prepared[] {
  begun.clear()
  handlers.ended = 0
  return Array.from({ length: count }, (_, index) => {
    const installation = installations[index % installations.length]
    const id = randomUUID()
    const body = Buffer.from(bodyOf(installation, id))
    const headers = new Map([
      ['content-type', 'application/json'],
      ['authorization', `JWT ${installation?.signRequest({ jti: id })}`],
    ])
    const view: RequestView = {
      method: 'POST',
      target: path,
      remoteAddress: '127.0.0.1',
      header: name => headers.get(name),
      headerNames: () => [],
      headerValues: name => [headers.get(name)].filter(value => value !== undefined),
      body: async () => body,
    }
    return { id, view }
  })
}

/** A message as the host sends it, padded to 700 bytes. */
function bodyOf(installation: Installation | undefined, id: string): string {
  const textOf = (pad: string): string =>
    JSON.stringify({
      event: 'room_message',
      oauth_client_id: installation?.oauthId,
      webhook_id: 1,
      item: {
        room: { id: installation?.room?.id, name: installation?.room?.name },
        message: {
          id,
          from: { id: 1, name: 'Somebody', mention_name: 'somebody' },
          message: `/count ${pad}`,
          type: 'message',
        },
      },
    })
  return textOf('x'.repeat(PAYLOAD_BYTES - textOf('').length))
}

const deliverAll = (world: World, prepared: readonly Prepared[]): Promise<void> =>
  callAll(prepared.length, IN_FLIGHT, index => deliver(world, prepared[index]))

async function deliver({ app }: World, prepared: Prepared | undefined): Promise<void> {
  const answer = prepared && (await app.handle(prepared.view))
  if (answer?.status !== 204) throw new Error(`a delivery was answered with ${answer?.status} ${answer?.body}`)
}

/** Every handler has ended, then every row is marked: only then is the table asked. */
async function allDone(world: World, count: number): Promise<void> {
  const deadline = performance.now() + DONE_WITHIN_MS
  while (world.handlers.ended < count || (await isWorkLeft(world))) {
    if (performance.now() > deadline) throw new Error(`${world.handlers.ended} of ${count} handlers within the time`)
    await new Promise(resolve => setTimeout(resolve, 1))
  }
}

async function isWorkLeft({ watcher }: World): Promise<boolean> {
  const { rows } = await watcher.query<{ left: boolean }>(WORK_LEFT)
  return rows[0]?.left === true
}
