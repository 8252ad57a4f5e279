/** The guest's launcher as one file: bundled once per process from the sources that lie beside this one. */

import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

// From source this is TypeScript, from the built package JavaScript.
const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
const LAUNCHER = fileURLToPath(new URL(`../guest/launcher.${extension}`, import.meta.url))

let built: Promise<string> | undefined

/** Its text. */
export function launcherText(): Promise<string> {
  built ??= bundle()
  return built
}

async function bundle(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [LAUNCHER],
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    write: false,
    logLevel: 'silent',
  })
  const [file] = outputFiles
  if (file === undefined) throw new TypeError('esbuild made no file')
  return file.text
}
