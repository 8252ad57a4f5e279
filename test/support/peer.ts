/**
 * The library that HipChat add-ons were written with, from npm, in a folder that git ignores: for the tests that show what it
 * does wrong, and for the bench that runs beside it. It is old and unsafe by today's measure, so nothing else may load it.
 */

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export const PEER_PACKAGES = { 'ac-koa': '0.2.6', 'ac-koa-hipchat': '0.2.20' } as const
export const PEER_NAME = `ac-koa-hipchat ${PEER_PACKAGES['ac-koa-hipchat']}`

const FOLDERS = fileURLToPath(new URL('../../.peers', import.meta.url))
const INSTALL_MS = 300_000

/** Its folder, or nothing where it was not installed yet. */
export function findPeer(): string | undefined {
  const folder = join(FOLDERS, 'hipchat')
  return existsSync(join(folder, 'node_modules', 'ac-koa-hipchat', 'package.json')) ? folder : undefined
}

/**
 * Installs it where it is missing; several processes may ask at the same time.
 * @returns its folder
 */
export async function installPeer(): Promise<string> {
  const present = findPeer()
  if (present !== undefined) return present
  await mkdir(FOLDERS, { recursive: true })
  const scratch = await mkdtemp(join(FOLDERS, 'install-'))
  try {
    await writeFile(join(scratch, 'package.json'), JSON.stringify({ private: true, dependencies: PEER_PACKAGES }))
    const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock']
    await promisify(execFile)('npm', ['install', ...flags], { cwd: scratch, timeout: INSTALL_MS })
    await rename(scratch, join(FOLDERS, 'hipchat')).catch((error: unknown) => {
      // Another process was faster.
      if (findPeer() === undefined) throw error
    })
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
  return findPeer() ?? fail()
}

/** For a process that is to load the library: it lies outside of every folder where Node would look for it. */
export const peerEnvironment = (folder: string): { readonly NODE_PATH: string } => ({
  NODE_PATH: join(folder, 'node_modules'),
})

function fail(): never {
  throw new Error('npm installed no ac-koa-hipchat')
}
