/**
 * The PostgreSQL servers a test run uses: those that PARTYWALL_TEST_ADMIN_URLS names, else the embedded one and, where
 * its programs are installed, Debian's. Started in scratch folders, gone at the end.
 */

import { existsSync, readdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Logger } from '../../src/core/ports.ts'
import { startEmbedded } from '../../src/postgres/embedded/index.ts'
import { adminUrlOf } from '../../src/postgres/open-embedded.ts'

export interface TestServers {
  /** The first one is the one that most tests use. */
  readonly urls: readonly { readonly name: string; readonly url: string }[]
  close(): Promise<void>
}

const DEBIAN_BINARIES = '/usr/lib/postgresql'

export async function startTestServers(): Promise<TestServers> {
  const given = (process.env.PARTYWALL_TEST_ADMIN_URLS ?? '').split(',').filter(url => url !== '')
  if (given.length > 0) {
    const urls = given.map(url => ({ name: `given, ${new URL(url).host}`, url }))
    return { urls, close: async () => undefined }
  }
  const started = [await startServer('embedded', process.env.PARTYWALL_PG_BIN)]
  const debian = findDebianBinaries()
  if (debian !== undefined) started.push(await startServer(debian, debian))
  else if (process.env.PARTYWALL_REQUIRE_ALL === '1')
    throw new Error(`PostgreSQL 15 or newer is required in ${DEBIAN_BINARIES}`)
  else console.log(`NOTICE: no PostgreSQL in ${DEBIAN_BINARIES}: the tests run on the embedded one alone`)
  return {
    urls: started.map(({ name, url }) => ({ name, url })),
    close: async () => {
      await Promise.all(started.map(server => server.close()))
    },
  }
}

async function startServer(name: string, binaries: string | undefined) {
  const folder = await mkdtemp(join(tmpdir(), 'pws-'))
  const before = process.env.PARTYWALL_PG_BIN
  if (binaries !== undefined) process.env.PARTYWALL_PG_BIN = binaries
  try {
    const server = await startEmbedded({ folder, logger: quietLogger, graceMs: 5000 })
    return {
      name: `${name} (${server.version})`,
      url: adminUrlOf(server.connection),
      close: async () => {
        await server.close()
        await rm(folder, { recursive: true, force: true })
      },
    }
  } finally {
    if (before === undefined) delete process.env.PARTYWALL_PG_BIN
    else process.env.PARTYWALL_PG_BIN = before
  }
}

function findDebianBinaries(): string | undefined {
  if (!existsSync(DEBIAN_BINARIES)) return undefined
  const majors = readdirSync(DEBIAN_BINARIES)
    .filter(name => Number(name) >= 15)
    .sort((a, b) => Number(a) - Number(b))
  return majors.map(major => join(DEBIAN_BINARIES, major, 'bin')).find(folder => existsSync(join(folder, 'postgres')))
}

/** Start-up progress is of no interest here; what goes wrong is. */
const quietLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: (event, fields) => console.error(event, fields),
  error: (event, fields) => console.error(event, fields),
}
