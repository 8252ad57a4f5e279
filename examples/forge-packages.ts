// The packages of a Forge app are the app's own: its developer installs them. For the examples this does, once, into their own
// folders, from whatever registry npm is configured for.
import { execFile } from 'node:child_process'
import { access } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const INSTALL = ['install', '--no-package-lock', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']

export const forgeFolder = (name: string): string => fileURLToPath(new URL(`./forge/${name}`, import.meta.url))

/** @returns the folder of an example, with its packages in it */
export async function withPackages(name: string): Promise<string> {
  const folder = forgeFolder(name)
  const isThere = await access(path.join(folder, 'node_modules', '@forge')).then(
    () => true,
    () => false,
  )
  if (!isThere) await run('npm', INSTALL, { cwd: folder })
  return folder
}
