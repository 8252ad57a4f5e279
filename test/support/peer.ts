/**
 * The libraries that apps of these protocols were written with, from npm, in folders that git ignores: for the tests that show what
 * they do wrong, and for the benches that run beside them. They are old and unsafe by today's measure, so nothing else may
 * load them.
 */

import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export interface Peer {
  /** Of its folder. */
  readonly folder: string
  readonly packages: Readonly<Record<string, string>>
  /** The package that is compared. */
  readonly main: string
  /** Whether packages are compiled on arrival; else none of their scripts run. */
  readonly compiles: boolean
}

export const HIPCHAT_PEER: Peer = {
  folder: 'hipchat',
  packages: { 'ac-koa': '0.2.6', 'ac-koa-hipchat': '0.2.20' },
  main: 'ac-koa-hipchat',
  compiles: false,
}
/** SQLite is its default store, and a native module. */
export const CONNECT_PEER: Peer = {
  folder: 'connect',
  packages: {
    'atlassian-connect-express': '11.5.3',
    'body-parser': '1.20.3',
    express: '4.21.2',
    sqlite3: '5.1.7',
  },
  main: 'atlassian-connect-express',
  compiles: true,
}

const FOLDERS = fileURLToPath(new URL('../../.peers', import.meta.url))
const INSTALL_MS = 600_000

/** `ac-koa-hipchat 0.2.20` */
export const nameOfPeer = ({ main, packages }: Peer): string => `${main} ${packages[main]}`

/** Its folder, or nothing where these versions were not installed yet. */
export function findPeer(peer: Peer): string | undefined {
  const folder = join(FOLDERS, peer.folder)
  return Object.entries(peer.packages).every(([name, version]) => installedVersion(folder, name) === version)
    ? folder
    : undefined
}

function installedVersion(folder: string, name: string): string | undefined {
  const file = join(folder, 'node_modules', name, 'package.json')
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).version : undefined
}

/**
 * Installs it where it is missing; several processes may ask at the same time.
 * @returns its folder
 */
export async function installPeer(peer: Peer): Promise<string> {
  const present = findPeer(peer)
  if (present !== undefined) return present
  await mkdir(FOLDERS, { recursive: true })
  const scratch = await mkdtemp(join(FOLDERS, 'install-'))
  try {
    await writeFile(join(scratch, 'package.json'), JSON.stringify({ private: true, dependencies: peer.packages }))
    const flags = ['--omit=optional', '--no-audit', '--no-fund', '--no-package-lock']
    await promisify(execFile)('npm', ['install', ...flags, ...(peer.compiles ? [] : ['--ignore-scripts'])], {
      cwd: scratch,
      timeout: INSTALL_MS,
    })
    // What is there by now has other versions, or another process was faster.
    if (findPeer(peer) === undefined) await rm(join(FOLDERS, peer.folder), { recursive: true, force: true })
    await rename(scratch, join(FOLDERS, peer.folder)).catch((error: unknown) => {
      if (findPeer(peer) === undefined) throw error
    })
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
  return findPeer(peer) ?? fail(peer)
}

/**
 * For tests: installed where the gate asks for everything; elsewhere it takes part when it is there.
 * @returns its folder, and what a test that needs it is given
 */
export async function peerForTests(
  peer: Peer,
): Promise<{ readonly folder: string | undefined; readonly skip: object }> {
  const folder = process.env.PARTYWALL_REQUIRE_ALL === '1' ? await installPeer(peer) : findPeer(peer)
  if (folder !== undefined) return { folder, skip: {} }
  console.log(
    `NOTICE: ${nameOfPeer(peer)} is not installed: nothing was compared with it. npm run peer:defects installs it.`,
  )
  return { folder, skip: { skip: `${nameOfPeer(peer)} is not installed` } }
}

/** For a process that is to load the library: it lies outside of every folder where Node would look for it. */
export const peerEnvironment = (folder: string): { readonly NODE_PATH: string } => ({
  NODE_PATH: join(folder, 'node_modules'),
})

function fail(peer: Peer): never {
  throw new Error(`npm installed no ${peer.main}`)
}
