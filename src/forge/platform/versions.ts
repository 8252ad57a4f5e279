/**
 * Deployed versions on disk: one folder a version, named by its hash, with the manifest as it was given and the bundle. Nothing
 * is ever changed in it; a folder that is there is whole.
 */

import { mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { PartywallError } from '../../core/errors.ts'
import type { Program } from '../../sandbox/types.ts'
import { bundleApp } from '../bundle/bundle-app.ts'
import { readManifest } from '../manifest/read.ts'
import type { Manifest } from '../manifest/types.ts'
import { type Version, versionText } from './environments.ts'

/** A version that can run. */
export interface LoadedVersion {
  readonly manifest: Manifest
  readonly program: Program
  /** `2.1.0`. */
  readonly text: string
}

export interface Built {
  readonly manifest: Manifest
  readonly hash: string
  readonly warnings: readonly string[]
}

export interface Versions {
  /**
   * Reads `manifest.yml` of an app folder and bundles its code. The same folder content gives the same hash.
   * @param forReport  adds what the isolation report asks with
   * @throws ERR_FORGE_APP_FOLDER, ERR_FORGE_MANIFEST, ERR_FORGE_BUNDLE
   */
  build(appFolder: string, variables: Readonly<Record<string, string | undefined>>, forReport?: boolean): Promise<Built>
  /** @throws ERR_FORGE_VERSION_MISSING it was deployed by a machine whose folder this one does not have */
  load(version: Version): Promise<LoadedVersion>
}

/** UUID of the app in a folder. @throws ERR_FORGE_APP_FOLDER, ERR_FORGE_MANIFEST */
export async function readAppId(
  appFolder: string,
  variables: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  return readManifest(await readManifestText(appFolder), { variables, place: path.resolve(appFolder) }).appId
}

const MANIFEST = 'manifest.json'
const MANIFEST_FILES = ['manifest.yml', 'manifest.yaml']
/** A process of the app may use this where the manifest says nothing (protocol s. 5.3). */
const MEMORY_MB = 512

/** @param folder  where versions are kept */
export function createVersions(folder: string): Versions {
  const loaded = new Map<string, Promise<LoadedVersion>>()

  return {
    async build(appFolder, variables, forReport = false) {
      const manifest = readManifest(await readManifestText(appFolder), { variables, place: path.resolve(appFolder) })
      await mkdir(folder, { recursive: true })
      const draft = await mkdtemp(path.join(folder, '.draft-'))
      try {
        const built = await bundleApp({
          folder: appFolder,
          manifest,
          outFolder: path.join(draft, 'program'),
          forReport,
        })
        await writeFile(path.join(draft, MANIFEST), JSON.stringify({ manifest, entry: built.entry }))
        await moveInto(draft, path.join(folder, built.hash))
        return { manifest, hash: built.hash, warnings: built.warnings }
      } finally {
        await rm(draft, { recursive: true, force: true })
      }
    },
    load(version) {
      const name = `${version.major}.${version.minor}:${version.hash}`
      const found = loaded.get(name)
      if (found !== undefined) return found
      const loading = loadVersion(path.join(folder, version.hash), version)
      loaded.set(name, loading)
      // A folder that is missing now may be there later.
      loading.catch(() => loaded.delete(name))
      return loading
    },
  }
}

async function loadVersion(folder: string, version: Version): Promise<LoadedVersion> {
  const text = await readFile(path.join(folder, MANIFEST), 'utf8').catch((cause: unknown) => {
    throw new PartywallError('ERR_FORGE_VERSION_MISSING', {
      message: `version ${versionText(version)} was deployed elsewhere: its folder ${version.hash} is not on this machine`,
      cause,
    })
  })
  const { manifest, entry } = JSON.parse(text) as { manifest: Manifest; entry: string }
  const memoryMb = Math.max(manifest.runtime.memoryMb ?? MEMORY_MB, ...manifest.functions.map(one => one.memoryMb ?? 0))
  return {
    manifest,
    text: versionText(version),
    program: { id: version.hash, folder: path.join(folder, 'program'), entry, memoryMb },
  }
}

async function readManifestText(appFolder: string): Promise<string> {
  for (const name of MANIFEST_FILES) {
    const file = path.join(appFolder, name)
    if ((await stat(file).catch(() => undefined))?.isFile()) return readFile(file, 'utf8')
  }
  throw new PartywallError('ERR_FORGE_APP_FOLDER', { message: `there is no ${MANIFEST_FILES[0]} in ${appFolder}` })
}

/** Two processes may build the same version at once: the folder that is there first stays, they are the same. */
async function moveInto(draft: string, target: string): Promise<void> {
  try {
    await rename(draft, target)
  } catch (error) {
    const isThere = (await stat(target).catch(() => undefined))?.isDirectory() ?? false
    if (!isThere) throw error
  }
}
