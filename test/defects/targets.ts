/** The two targets: Partywall on a database of its own, and the library of before from the folder it was installed in. */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startHipchatHost } from 'partywall/host'
import { startFakeHost } from '../e2e/attack/fake-host.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { HIPCHAT_PEER, nameOfPeer, peerEnvironment } from '../support/peer.ts'
import { TEST_KEYS } from '../support/registry.ts'
import { type AddonProcess, type AddonProgram, startAddon } from './addon-process.ts'
import type { Dependency, Target } from './target.ts'

export interface OpenTarget extends Target {
  close(): Promise<void>
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const SOURCES = ['--conditions=partywall-source', '--import', import.meta.resolve('tsx')]

export async function openPartywall(): Promise<OpenTarget> {
  const database = await createTestDatabase()
  const { urls } = database
  const target = await open('Partywall', {
    file: new URL('partywall/addon.ts', import.meta.url),
    flags: SOURCES,
    environment: {
      DATABASE_URL: urls.app,
      DATABASE_SYSTEM_URL: urls.system,
      DATABASE_JOBS_URL: urls.jobs,
      DATABASE_LISTEN_URL: undefined,
      PARTYWALL_KEYS: TEST_KEYS,
      NODE_ENV: undefined,
    },
  })
  return {
    ...target,
    stored: () => rowsOf(database),
    dependencies: () => dependenciesIn(join(ROOT, 'package-lock.json')),
    manifest: () => readJson(join(ROOT, 'package.json')),
    async close() {
      await target.close()
      await database.close()
    },
  }
}

/** In production, where it checks most. @param folder  where it is installed */
export async function openPeer(folder: string): Promise<OpenTarget> {
  const target = await open(nameOfPeer(HIPCHAT_PEER), {
    file: new URL('peer/addon.cjs', import.meta.url),
    flags: ['--no-deprecation'],
    environment: { ...peerEnvironment(folder), NODE_ENV: 'production' },
  })
  return {
    ...target,
    stored: async addon => (await addon.send('/stored')).text,
    dependencies: () => dependenciesIn(join(folder, 'node_modules/.package-lock.json')),
    manifest: () => readJson(join(folder, 'node_modules/ac-koa-hipchat/package.json')),
  }
}

type Common = Omit<OpenTarget, 'stored' | 'dependencies' | 'manifest'>

async function open(name: string, program: AddonProgram): Promise<Common> {
  const [host, rogue, trap] = await Promise.all([
    startHipchatHost({ rateLimit: false, callbackTimeoutMs: 30_000, webhookTimeoutMs: 5_000, automaticRetries: false }),
    startFakeHost(),
    startFakeHost(),
  ])
  const environment = { ...program.environment, HOSTS: [new URL(host.url).host, rogue.authority].join() }
  const started: AddonProcess[] = []
  const start = async (more: Readonly<Record<string, string>>) => {
    const addon = await startAddon({ ...program, environment: { ...environment, ...more } })
    started.push(addon)
    return addon
  }
  let current: AddonProcess | undefined
  return {
    name,
    host,
    rogue,
    trap,
    start,
    async addon() {
      if (current?.isAlive !== true) current = await start({})
      return current
    },
    async close() {
      await Promise.all(started.map(addon => addon.close()))
      await Promise.all([host.close(), rogue.stop(), trap.stop()])
    },
  }
}

/** Every row of every table, as text. */
async function rowsOf({ admin }: TestDatabase): Promise<string> {
  const tables = await admin(
    "select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname = 'pw'",
  )
  const rows = await Promise.all(tables.map(({ name }) => admin(`select t::text as row from ${String(name)} t`)))
  return rows
    .flat()
    .map(({ row }) => row)
    .join('\n')
}

/** Of what a user gets: packages for development alone are left out. */
async function dependenciesIn(lockFile: string): Promise<readonly Dependency[]> {
  const { packages } = (await readJson(lockFile)) as { readonly packages: Readonly<Record<string, Locked>> }
  return Object.entries(packages)
    .filter(([path, { dev }]) => path !== '' && dev !== true)
    .map(([path, { version = '', engines }]) => ({
      name: path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length),
      version,
      node: readEngine(engines),
    }))
}

interface Locked {
  readonly version?: string
  readonly dev?: boolean
  /** Old packages write a list. */
  readonly engines?: { readonly node?: string } | readonly string[]
}

const readEngine = (engines: Locked['engines']): string | undefined =>
  engines !== undefined && 'node' in engines ? engines.node : undefined

const readJson = async (file: string): Promise<Readonly<Record<string, unknown>>> =>
  JSON.parse(await readFile(file, 'utf8'))
