/**
 * Processor time of a piece of work: this process's, and that of the server's backends where they run on this machine. On a
 * shared machine it says more than the clock does. Knows nothing of what is measured.
 */

import { readFile } from 'node:fs/promises'
import pg from 'pg'

export interface ProcessorTime {
  /** Microseconds of this process, all its threads. */
  readonly nodeUs: number
  /** Microseconds of the database's backends; `undefined` where they cannot be seen (another machine, not Linux). */
  readonly serverUs: number | undefined
}

export interface Meter {
  /** Runs `work` and tells what it took. */
  during<T>(work: () => Promise<T>): Promise<{ readonly result: T; readonly spent: ProcessorTime }>
  close(): Promise<void>
}

/** @param adminUrl of the database whose backends count */
export async function openMeter(adminUrl: string): Promise<Meter> {
  const client = new pg.Client({ connectionString: adminUrl })
  await client.connect()
  const backends = async (): Promise<ReadonlyMap<number, number | undefined>> => {
    const { rows } = await client.query<{ pid: number }>(
      'select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
    )
    return new Map(await Promise.all(rows.map(async ({ pid }) => [pid, await runTimeUs(pid)] as const)))
  }
  return {
    async during(work) {
      const before = await backends()
      const start = process.cpuUsage()
      const result = await work()
      const { user, system } = process.cpuUsage(start)
      return { result, spent: { nodeUs: user + system, serverUs: difference(before, await backends()) } }
    },
    close: () => client.end(),
  }
}

/** Backends that came meanwhile count from their start; what ended meanwhile is lost. */
function difference(
  before: ReadonlyMap<number, number | undefined>,
  after: ReadonlyMap<number, number | undefined>,
): number | undefined {
  let sum = 0
  for (const [pid, now] of after) {
    if (now === undefined) return undefined
    sum += now - (before.get(pid) ?? 0)
  }
  return sum
}

/** The scheduler's count for a process of PostgreSQL on this machine. */
async function runTimeUs(pid: number): Promise<number | undefined> {
  try {
    const [name, statistics] = await Promise.all([
      readFile(`/proc/${pid}/comm`, 'utf8'),
      readFile(`/proc/${pid}/schedstat`, 'utf8'),
    ])
    return name.startsWith('postgres') ? Number(statistics.split(' ')[0]) / 1_000 : undefined
  } catch {
    return undefined
  }
}
