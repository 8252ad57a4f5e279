/** The probe as a real process on its own database: started, killed, started again, and its output kept for leak checks. */

import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'

const PROBE_FILE = fileURLToPath(new URL('../../probe/main.ts', import.meta.url))
const START_MS = 90_000

export interface ProbeOptions {
  readonly hosts: readonly string[]
  readonly retentionDays?: number
  readonly environment?: Readonly<Record<string, string>>
}

export interface Probe {
  readonly port: number
  readonly baseUrl: string
  /** Everything it has written to both streams, over all its lives. */
  readonly output: string
  readonly isAlive: boolean
  readonly pid: number
  /** Everything its database holds: rows as text where an administrator can read them, else the bytes of the data folder. */
  stored(): Promise<string>
  /**
   * Ends every connection to its database and lets no new one in, until `healDatabase`: the database is `closed` for all, or
   * the server has no connection left for it (`full`). Needs PARTYWALL_TEST_ADMIN_URL.
   */
  cutDatabase(how: 'closed' | 'full'): Promise<void>
  healDatabase(): Promise<void>
  kill(signal: NodeJS.Signals): Promise<void>
  start(): Promise<void>
  /** Ends the process and removes its database and folder. */
  dispose(): Promise<void>
}

export async function createProbe(options: ProbeOptions): Promise<Probe> {
  const port = await freePort()
  const baseUrl = `http://127.0.0.1:${port}`
  const folder = await mkdtemp(join(tmpdir(), 'attack-'))
  const database = `attack_${randomBytes(6).toString('hex')}`
  const adminUrl = process.env.PARTYWALL_TEST_ADMIN_URL
  const hasServer = adminUrl !== undefined && adminUrl !== ''
  let child: ChildProcess | undefined
  let output = ''

  async function start(): Promise<void> {
    const flags = ['--conditions=partywall-source', '--import', import.meta.resolve('tsx')]
    child = spawn(process.execPath, [...flags, PROBE_FILE], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        NODE_TEST_CONTEXT: undefined,
        XDG_CONFIG_HOME: join(folder, 'config'),
        PORT: String(port),
        BASE_URL: baseUrl,
        HIPCHAT_HOSTS: options.hosts.join(','),
        DATA_DIR: join(folder, 'data'),
        RETENTION_DAYS: String(options.retentionDays ?? 28),
        LOG_LEVEL: 'debug',
        ...(hasServer ? { DATABASE_URL: adminUrl, PROBE_DATABASE: database } : {}),
        ...options.environment,
      },
    })
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', text => {
        output += text
      })
    }
    await answers(child)
  }

  async function answers(started: ChildProcess): Promise<void> {
    const deadline = performance.now() + START_MS
    while (performance.now() < deadline) {
      if (started.exitCode !== null || started.signalCode !== null) break
      if (await isHealthy(baseUrl)) return
      await delay(50)
    }
    throw new Error(`the probe did not start: ${output.slice(-4000)}`)
  }

  async function kill(signal: NodeJS.Signals): Promise<void> {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
  }

  async function dispose(): Promise<void> {
    const late = setTimeout(() => child?.kill('SIGKILL'), 15_000)
    await kill('SIGTERM')
    clearTimeout(late)
    if (hasServer) await dropDatabase(adminUrl, database)
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  }

  const probe: Probe = {
    port,
    baseUrl,
    get output() {
      return output
    },
    get isAlive() {
      return child !== undefined && child.exitCode === null && child.signalCode === null
    },
    get pid() {
      return child?.pid ?? 0
    },
    stored: () => (hasServer ? readDatabase(adminUrl, database) : readFolder(join(folder, 'data'))),
    cutDatabase: how =>
      endConnections(adminUrl, database, how === 'closed' ? ['allow_connections false'] : ['connection limit 0']),
    healDatabase: () => endConnections(adminUrl, database, ['allow_connections true', 'connection limit -1']),
    kill,
    start,
    dispose,
  }
  try {
    await start()
  } catch (error) {
    await dispose()
    throw error
  }
  return probe
}

async function isHealthy(baseUrl: string): Promise<boolean> {
  try {
    const response = await fetch(`${baseUrl}/healthz`, { signal: AbortSignal.timeout(2000) })
    await response.arrayBuffer()
    return response.status < 500
  } catch {
    // Nobody listens yet; the caller has the deadline.
    return false
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new TypeError('a TCP port was expected')
  return address.port
}

async function readDatabase(adminUrl: string, database: string): Promise<string> {
  const url = new URL(adminUrl)
  url.pathname = `/${database}`
  return withAdministrator(url.href, async client => {
    const tables = await client.query<{ query: string }>(
      `select format('select t::text as row from %I.%I t', schemaname, tablename) as query
         from pg_tables where schemaname not in ('pg_catalog', 'information_schema')`,
    )
    const rows: string[] = []
    for (const table of tables.rows) {
      const found = await client.query<{ row: string }>(table.query)
      rows.push(...found.rows.map(({ row }) => row))
    }
    return rows.join('\n')
  })
}

async function readFolder(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name))
  return (await Promise.all(files.map(file => readFile(file, 'latin1')))).join('\n')
}

async function endConnections(
  adminUrl: string | undefined,
  database: string,
  changes: readonly string[],
): Promise<void> {
  if (adminUrl === undefined || adminUrl === '')
    throw new Error('PARTYWALL_TEST_ADMIN_URL is needed to cut a database off')
  await withAdministrator(adminUrl, async client => {
    for (const change of changes) await client.query(`alter database "${database}" ${change}`)
    await client.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [database])
  })
}

const dropDatabase = (adminUrl: string, database: string): Promise<unknown> =>
  withAdministrator(adminUrl, client => client.query(`drop database if exists "${database}" with (force)`))

async function withAdministrator<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
