/**
 * Reads `manifest.yml`: all that is wrong at once, each with line, column, path and a sentence; what is only unknown is a warning.
 * The result is what the platform acts on, and nothing of the text is looked at again.
 */

import { PartywallError } from '../../core/errors.ts'
import { checkReferences } from './check.ts'
import { type PathPart, readDocument } from './document.ts'
import { interpolate } from './interpolate.ts'
import {
  type GivenManifest,
  MANIFEST,
  MODULE_SCHEMAS,
  NOT_SIMULATED_MODULES,
  TOP_LEVEL,
  UI_MODULE,
  UI_MODULE_TYPE,
} from './schema.ts'
import { hasAppUuid, toManifest } from './to-manifest.ts'
import type { Manifest, ManifestProblem } from './types.ts'

export interface ReadOptions {
  /** Values of the variables that `environment.variables` declares, for `${NAME}` in the manifest. */
  readonly variables?: Readonly<Record<string, string | undefined>>
  /** What tells this app from others while its id is not filled in: its folder. */
  readonly place?: string
}

export type Report = (path: readonly PathPart[], message: string) => void

const MAX_BYTES = 1024 * 1024
const RUNTIMES = new Set(['nodejs20.x', 'nodejs22.x', 'nodejs24.x'])

/** @throws ERR_FORGE_MANIFEST its message lists every problem as `manifest.yml:12:5 modules.function[0].handler: …` */
export function readManifest(text: string, { variables = {}, place = '' }: ReadOptions = {}): Manifest {
  if (Buffer.byteLength(text) > MAX_BYTES)
    throw refused([{ line: 1, column: 1, path: '', message: 'the manifest is larger than 1 MiB' }])
  const document = readDocument(text)
  if (document.errors.length > 0) throw refused(document.errors)
  const problems: ManifestProblem[] = []
  const warnings: ManifestProblem[] = []
  const wrong: Report = (path, message) => problems.push(document.problem(path, message))
  const warn: Report = (path, message) => warnings.push(document.problem(path, message))

  const given = checkShape(interpolate(document.value, variables, wrong), wrong)
  if (given === undefined) throw refused(problems)
  checkTopLevel(given, warn)
  checkModules(given, wrong, warn)
  checkRuntime(given, warn)
  if (problems.length > 0) throw refused(problems)
  checkReferences(given, wrong, warn)
  if (problems.length > 0) throw refused(problems)
  return toManifest(given, warnings, place)
}

function checkShape(value: unknown, wrong: Report): GivenManifest | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    wrong([], 'a manifest is a mapping with at least "app" and "modules"')
    return undefined
  }
  const parsed = MANIFEST.safeParse(value)
  if (parsed.success) return parsed.data
  for (const { path, message } of parsed.error.issues) wrong(path as PathPart[], message)
  return undefined
}

/** The platform may know more by now than this does. */
function checkTopLevel(given: GivenManifest, warn: Report): void {
  for (const name of Object.keys(given)) {
    if (!TOP_LEVEL.includes(name)) warn([name], `${JSON.stringify(name)} is not known, and nothing is done about it`)
  }
  if (!hasAppUuid(given.app.id ?? ''))
    warn(['app', 'id'], 'app.id is not filled in: a UUID that is made of it and of the folder stands for it here')
}

function checkModules(given: GivenManifest, wrong: Report, warn: Report): void {
  for (const [type, list] of Object.entries(given.modules ?? {})) {
    const schema = Object.hasOwn(MODULE_SCHEMAS, type)
      ? MODULE_SCHEMAS[type as keyof typeof MODULE_SCHEMAS]
      : UI_MODULE_TYPE.test(type)
        ? UI_MODULE
        : undefined
    if (NOT_SIMULATED_MODULES.has(type)) {
      warn(
        ['modules', type],
        `module type ${JSON.stringify(type)} is not simulated: what needs it answers ERR_FORGE_NOT_SIMULATED`,
      )
      continue
    }
    if (schema === undefined) {
      warn(['modules', type], `module type ${JSON.stringify(type)} is not known here`)
      continue
    }
    for (const [index, module] of (list ?? []).entries()) {
      const parsed = schema.safeParse(module)
      for (const { path, message } of parsed.error?.issues ?? []) {
        wrong(['modules', type, index, ...(path as PathPart[])], message)
      }
    }
  }
}

function checkRuntime({ app }: GivenManifest, warn: Report): void {
  const name = app.runtime?.name
  if (name === undefined)
    warn(['app'], 'without app.runtime.name an app is of the legacy sandbox; it runs on Node here')
  else if (!RUNTIMES.has(name))
    warn(['app', 'runtime', 'name'], `runtime ${name} is retired; the app runs on Node ${process.versions.node} here`)
}

function refused(problems: readonly ManifestProblem[]): PartywallError {
  const lines = problems.map(
    ({ line, column, path, message }) => `manifest.yml:${line}:${column} ${path === '' ? '' : `${path}: `}${message}`,
  )
  return new PartywallError('ERR_FORGE_MANIFEST', { message: lines.join('\n'), details: { problems: problems.length } })
}
