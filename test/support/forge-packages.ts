/**
 * `@forge/*` packages for tests, in generations that public apps use: from npm, on demand, into folders that git ignores. They are
 * never dependencies of anything here; apps that need them lie below such a folder.
 */

import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { installPeer, type Peer } from './peer.ts'

export const GENERATIONS = {
  '2.22': { api: '2.22.0', storage: '1.5.13', resolver: '1.6.5', events: '0.8.33' },
  '3.9': { api: '3.9.1', storage: '1.5.15', resolver: '1.6.6', events: '0.9.1', ui: '1.11.4' },
  '4.1': { api: '4.1.1', storage: '1.6.0', resolver: '1.6.8', events: '1.0.3', kvs: '1.2.0' },
  '5.0': { api: '5.0.0', storage: '1.7.1', resolver: '1.6.11', events: '1.0.3', kvs: '1.2.0' },
  '6.4': { api: '6.4.0', storage: '2.0.3', resolver: '1.7.1', events: '2.1.4', kvs: '1.2.0' },
  '8.3': { api: '8.3.0', resolver: '2.0.1', events: '3.0.8', kvs: '1.6.5' },
} as const
export type Generation = keyof typeof GENERATIONS
export const GENERATION_NAMES = Object.keys(GENERATIONS) as readonly Generation[]

const peerOf = (generation: Generation): Peer => ({
  folder: `forge-${generation}`,
  packages: Object.fromEntries(
    Object.entries(GENERATIONS[generation]).map(([name, version]) => [`@forge/${name}`, version]),
  ),
  main: '@forge/api',
  compiles: false,
})

/**
 * @returns the folder with the packages, and what a test that needs them is given: a machine that npm cannot serve leaves it out and
 *   says so, the gate does not
 */
export async function forgePackages(
  generation: Generation,
): Promise<{ readonly folder: string; readonly skip: { readonly skip?: string } }> {
  try {
    return { folder: await installPeer(peerOf(generation)), skip: {} }
  } catch (error) {
    if (process.env.PARTYWALL_REQUIRE_ALL === '1') throw error
    const reason = `npm cannot install @forge/api ${GENERATIONS[generation].api}`
    console.log(`NOTICE: ${reason}: apps of this generation were not run.`)
    return { folder: '', skip: { skip: reason } }
  }
}

export interface AppFiles {
  readonly 'manifest.yml': string
  /** `src/index.js` and others, by their path. */
  readonly [file: string]: string
}

/** Writes an app below a folder with packages. @returns its folder */
export async function writeForgeApp(packages: string, files: AppFiles): Promise<string> {
  const apps = path.join(packages, 'apps')
  await mkdir(apps, { recursive: true })
  const folder = await mkdtemp(path.join(apps, 'app-'))
  await updateForgeApp(folder, files)
  return folder
}

export async function updateForgeApp(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(folder, name)
    await mkdir(path.dirname(file), { recursive: true })
    await writeFile(file, text)
  }
}
