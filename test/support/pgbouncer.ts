/** A PgBouncer of the test's own: transaction mode, few server connections, an unprivileged port and user. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

export interface Pooler {
  /** The same login and database, through the pooler. */
  through(url: string): string
  close(): Promise<void>
}

/** Where the program lies, or nothing. */
export const findPgbouncer = (): string | undefined =>
  [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
    .map(folder => join(folder, 'pgbouncer'))
    .find(existsSync)

/**
 * @param upstreamPort TCP port of the server on 127.0.0.1
 * @param passwords by login
 */
export async function startPgbouncer(
  program: string,
  upstreamPort: number,
  passwords: Readonly<Record<string, string>>,
): Promise<Pooler> {
  const folder = await mkdtemp(join(tmpdir(), 'pwb-'))
  const port = await freePort()
  const users = Object.entries(passwords).map(([name, password]) => `"${name}" "${password}"\n`)
  await writeFile(join(folder, 'users.txt'), users.join(''))
  await writeFile(
    join(folder, 'pgbouncer.ini'),
    `[databases]
* = host=127.0.0.1 port=${upstreamPort}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${join(folder, 'users.txt')}
pool_mode = transaction
default_pool_size = 3
max_client_conn = 200
`,
  )
  await chmod(folder, 0o755)
  // PgBouncer refuses to run as root.
  const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}
  const child = spawn(program, [join(folder, 'pgbouncer.ini')], { ...user, stdio: ['ignore', 'ignore', 'pipe'] })
  let log = ''
  await new Promise<void>((resolve, reject) => {
    child.stderr.on('data', (chunk: Buffer) => {
      log += chunk.toString()
      if (log.includes('process up')) resolve()
    })
    child.once('error', reject)
    child.once('exit', code => reject(new Error(`pgbouncer ended with ${code}: ${log}`)))
  })
  return {
    through(url) {
      const parsed = new URL(url)
      parsed.hostname = '127.0.0.1'
      parsed.port = String(port)
      parsed.searchParams.delete('host')
      parsed.searchParams.set('statement_mode', 'unnamed')
      return parsed.href
    },
    async close() {
      child.removeAllListeners('exit')
      const ended = once(child, 'exit')
      child.kill('SIGINT')
      await ended
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
