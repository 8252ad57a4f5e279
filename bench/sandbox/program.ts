/** The bundle that is measured: about 560 KB with packages that apps use, which are fetched once into a folder that git ignores. */

import { mkdtemp, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type { Program } from '../../src/sandbox/types.ts'
import { installPeer } from '../../test/support/peer.ts'

const PACKAGES = {
  folder: 'functions',
  packages: { lodash: '4.17.21', 'date-fns': '4.1.0', jsonwebtoken: '9.0.2', axios: '1.7.9' },
  main: 'lodash',
  compiles: false,
}

/** @param wrapped  a module for a runtime that calls `handler` itself, instead of a program of the sandbox */
export async function bundleApp(wrapped = false): Promise<{ readonly file: string; readonly bytes: number }> {
  const packages = await installPeer(PACKAGES)
  const folder = await mkdtemp(path.join(tmpdir(), 'pw-bench-function-'))
  const file = path.join(folder, 'main.cjs')
  const app = fileURLToPath(new URL('./app.cjs', import.meta.url))
  await build({
    stdin: {
      contents: wrapped
        ? `exports.handler = require(${JSON.stringify(app)})()`
        : `module.exports = require(${JSON.stringify(app)})`,
      resolveDir: packages,
    },
    outfile: file,
    nodePaths: [path.join(packages, 'node_modules')],
    bundle: true,
    minify: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    logLevel: 'silent',
  })
  return { file, bytes: (await stat(file)).size }
}

export async function benchProgram(): Promise<Program & { readonly bytes: number }> {
  const { file, bytes } = await bundleApp()
  return { id: 'bench', folder: path.dirname(file), entry: path.basename(file), bytes }
}

export const PAYLOAD = { items: Array.from({ length: 8 }, (_, n) => ({ n })), pad: 'x'.repeat(960) }
