/**
 * Makes one file of an app's code, its packages and our guest, for the sandbox to load. esbuild does the work; what an app may expect
 * of the official bundler (Forge protocol s. 3) is said to it here.
 */

import { createHash } from 'node:crypto'
import { cp, mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { type BuildFailure, build, type OutputFile, type Plugin } from 'esbuild'
import { PartywallError } from '../../core/errors.ts'
import type { Manifest } from '../manifest/types.ts'
import { writeLocales } from './locales.ts'
import { tidySourceMap } from './source-map.ts'

export interface BundleOptions {
  /** Absolute path of the app's folder. */
  readonly folder: string
  readonly manifest: Manifest
  /** Folder that the sandbox will see; made here. */
  readonly outFolder: string
  /** True adds what the isolation report asks the code's state with. */
  readonly forReport?: boolean
}
export interface Bundled {
  /** File in `outFolder` that the sandbox loads. */
  readonly entry: string
  /** SHA-256 of everything that was written and of the manifest, in hexadecimal. */
  readonly hash: string
  readonly warnings: readonly string[]
}

const ENTRY = 'main.cjs'
const EXTENSIONS = ['.ts', '.tsx', '.js', '.jsx', '.mjs', '.json', '.cjs']
/** Packages that others use where they are installed, and do without where not. */
const OPTIONAL = ['encoding', 'bufferutil', 'utf-8-validate', 'dtrace-provider']
const PREBUILT = './prebuilt/'

// From source this is TypeScript, from the built package JavaScript.
const own = (name: string): string =>
  fileURLToPath(new URL(`${name}.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url))

/** @throws ERR_FORGE_BUNDLE its message has a line for each thing that is wrong, with file and position */
export async function bundleApp({ folder, manifest, outFolder, forReport = false }: BundleOptions): Promise<Bundled> {
  const root = path.resolve(folder)
  await mkdir(outFolder, { recursive: true })
  const files = await handlerFiles(root, manifest)
  const { outputFiles, warnings } = await bundle(root, entryText(files, forReport))
  const hash = createHash('sha256').update(JSON.stringify(manifest))
  for (const { path: name, contents } of outputFiles) {
    const bytes = name.endsWith('.map') ? tidySourceMap(contents) : Buffer.from(contents)
    hash.update(path.basename(name)).update(bytes)
    await writeFile(path.join(outFolder, path.basename(name)), bytes)
  }
  if (manifest.package.isPrebuilt)
    await cp(prebuiltFolder(root, manifest), path.join(outFolder, PREBUILT), { recursive: true })
  for (const name of await copyExtras(root, manifest, outFolder)) hash.update(name)
  hash.update(await writeLocales(root, manifest, outFolder))
  return { entry: ENTRY, hash: hash.digest('hex'), warnings }
}

/** What the program begins with. `load` is called after the globals are in place, so nothing of the app is evaluated before. */
function entryText(files: ReadonlyMap<string, string>, forReport: boolean): string {
  const modules = [...files].map(([name, file]) => `${JSON.stringify(name)}: require(${JSON.stringify(file)})`)
  return [
    `const { createGuest } = require(${JSON.stringify(own('../guest/entry'))})`,
    `const load = () => ({ ${modules.join(', ')} })`,
    forReport
      ? `const { withReport } = require(${JSON.stringify(own('../report/guest'))})
module.exports = api => withReport(api, load, __dirname, createGuest)`
      : 'module.exports = api => createGuest(api, load, __dirname)',
  ].join('\n')
}

async function bundle(root: string, contents: string): Promise<{ outputFiles: OutputFile[]; warnings: string[] }> {
  try {
    const { outputFiles, warnings } = await build({
      stdin: { contents, resolveDir: root, sourcefile: 'entry.cjs', loader: 'js' },
      absWorkingDir: root,
      outfile: path.join(root, ENTRY),
      bundle: true,
      platform: 'node',
      format: 'cjs',
      target: 'node20',
      sourcemap: 'external',
      sourcesContent: false,
      resolveExtensions: EXTENSIONS,
      loader: { '.js': 'jsx' },
      external: OPTIONAL,
      plugins: [prebuilt, refuseAddons, oldPages],
      write: false,
      logLevel: 'silent',
    })
    return { outputFiles, warnings: warnings.map(lineOf) }
  } catch (error) {
    const { errors } = error as Partial<BuildFailure>
    if (errors === undefined) throw error
    throw failed(errors.map(lineOf))
  }
}

const lineOf = ({ text, location }: BuildFailure['errors'][number]): string =>
  location === null ? text : `${location.file}:${location.line}:${location.column + 1} ${text}`

const prebuilt: Plugin = {
  name: 'prebuilt',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\/prebuilt\// }, ({ path: name }) => ({ path: name, external: true }))
  },
}

const refuseAddons: Plugin = {
  name: 'refuse-addons',
  setup({ onResolve }) {
    onResolve({ filter: /\.node$/ }, ({ path: name }) => ({
      errors: [{ text: `${name} is a native addon: those do not run in Forge, and are refused in the jail` }],
    }))
  },
}

/**
 * Files of the first UI Kit make elements with `ForgeUI`, and do so while they are evaluated: without it none of their functions could
 * be called. Everybody else's JSX is React's.
 */
const oldPages: Plugin = {
  name: 'old-pages',
  setup({ onLoad }) {
    onLoad({ filter: /\.[jt]sx?$/, namespace: 'file' }, async ({ path: name }) => {
      if (name.includes(`${path.sep}node_modules${path.sep}`)) return undefined
      const contents = await readFile(name, 'utf8')
      if (!/\bForgeUI\b.*from\s*['"]@forge\/ui['"]/s.test(contents)) return undefined
      // On the first line, so that positions in errors stay true.
      const pragmas = '/** @jsx ForgeUI.createElement */ /** @jsxFrag ForgeUI.Fragment */ '
      return { contents: pragmas + contents, loader: /\.tsx?$/.test(name) ? 'tsx' : 'jsx' }
    })
  },
}

/** Names of the manifest's handlers, without the export, and the files they are. */
async function handlerFiles(root: string, manifest: Manifest): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>()
  const missing: string[] = []
  for (const { key, handler } of manifest.functions) {
    const name = handler.slice(0, handler.lastIndexOf('.'))
    if (found.has(name)) continue
    const file = manifest.package.isPrebuilt
      ? `${PREBUILT}${name}.cjs`
      : await firstFile(EXTENSIONS.map(extension => path.join(root, 'src', name + extension)))
    if (file === undefined)
      missing.push(`function ${key}: there is no file src/${name} with one of ${EXTENSIONS.join(' ')}`)
    else found.set(name, file)
  }
  if (missing.length > 0) throw failed(missing)
  return found
}

async function firstFile(names: readonly string[]): Promise<string | undefined> {
  for (const name of names) {
    const found = await stat(name).catch(() => undefined)
    if (found?.isFile() === true) return name
  }
  return undefined
}

const prebuiltFolder = (root: string, { package: { path: below = 'dist' } }: Manifest): string => {
  const folder = path.resolve(root, below)
  if (folder.startsWith(`${root}${path.sep}`)) return folder
  throw failed([`app.package.path ${below} is not inside of the app's folder`])
}

async function copyExtras(root: string, manifest: Manifest, outFolder: string): Promise<string[]> {
  const names = manifest.package.extraFiles
  for (const name of names) {
    const from = path.resolve(root, name)
    if (!from.startsWith(`${root}${path.sep}`))
      throw failed([`app.package.extraFiles ${name} is not inside of the app's folder`])
    await cp(from, path.join(outFolder, path.relative(root, from)), { recursive: true })
  }
  return Promise.all(
    names.map(async name => {
      const file = path.resolve(root, name)
      return (await stat(file)).isFile() ? (await readFile(file)).toString('base64') : name
    }),
  )
}

const failed = (lines: readonly string[]): PartywallError =>
  new PartywallError('ERR_FORGE_BUNDLE', { message: lines.join('\n') })
