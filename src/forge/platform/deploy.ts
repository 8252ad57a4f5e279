/**
 * Deployment: builds the app folder, tries that it loads, counts the version in. A minor version reaches every installation of its
 * major one at once; a major one waits for each installation's consent. (Forge protocol s. 2.4.)
 */

import type { Sandbox } from '../../sandbox/types.ts'
import { compareManifests } from '../manifest/compare.ts'
import type { Manifest } from '../manifest/types.ts'
import { type Environment, type Environments, newestOf, type Version, versionText } from './environments.ts'
import type { Versions } from './versions.ts'

export interface Deployment {
  /** `2.1.0`. */
  readonly version: string
  /** `none`: nothing has changed since the newest version. */
  readonly kind: 'none' | 'minor' | 'major'
  /** Why a major one needs consent, a sentence each. */
  readonly reasons: readonly string[]
  /** Of the manifest with their positions, and of the bundle. */
  readonly warnings: readonly string[]
  readonly manifest: Manifest
}

export interface DeployDeps {
  readonly environments: Environments
  readonly versions: Versions
  readonly sandbox: Sandbox
}

export interface DeployRequest {
  readonly folder: string
  readonly appId: string
  readonly environment: string
  /** For `${NAME}` in the manifest. */
  readonly variables: Readonly<Record<string, string | undefined>>
  /** With what the isolation report asks with. */
  readonly forReport?: boolean
}

/** @throws ERR_FORGE_APP_FOLDER, ERR_FORGE_MANIFEST, ERR_FORGE_BUNDLE, ERR_SANDBOX_LOAD; nothing has changed then */
export async function deploy(
  { folder, appId, environment: name, variables, forReport = false }: DeployRequest,
  { environments, versions, sandbox }: DeployDeps,
): Promise<Deployment> {
  const built = await versions.build(folder, variables, forReport)
  const environment = await environments.ensure(appId, name)
  const before = newestOf(environment)
  const { manifest } = built
  const warnings = [
    ...manifest.warnings.map(({ line, column, message }) => `manifest.yml:${line}:${column} ${message}`),
    ...built.warnings,
  ]
  if (before?.hash === built.hash) {
    return { version: versionText(before), kind: 'none', reasons: [], warnings, manifest }
  }
  const change =
    before === undefined
      ? ({ kind: 'major', reasons: [] } as const)
      : compareManifests((await versions.load(before)).manifest, manifest)
  const version = nextVersion(before, change.kind, built.hash)
  await sandbox.prepare((await versions.load(version)).program)
  const changed = await environments.addVersion(environment, version)
  await retireFormer(environment, changed, { versions, sandbox })
  return { version: versionText(version), ...change, warnings, manifest }
}

function nextVersion(before: Version | undefined, kind: 'minor' | 'major', hash: string): Version {
  if (before === undefined) return { major: 1, minor: 0, hash }
  return kind === 'major'
    ? { major: before.major + 1, minor: 0, hash }
    : { major: before.major, minor: before.minor + 1, hash }
}

/** Processes of code that no installation runs any more. */
async function retireFormer(
  before: Environment,
  after: Environment,
  { versions, sandbox }: Pick<DeployDeps, 'versions' | 'sandbox'>,
): Promise<void> {
  const used = new Set([...after.versions.values()].map(({ hash }) => hash))
  for (const version of before.versions.values()) {
    if (!used.has(version.hash)) await sandbox.retire((await versions.load(version)).program.id)
  }
}
