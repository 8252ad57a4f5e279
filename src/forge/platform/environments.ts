/**
 * Environments of an app: `development`, `staging`, `production` and the developer's own. Versions, variables, installations and web
 * trigger addresses belong to one.
 *
 * To the registry an environment is an identity whose tenant is the app's vendor: its variables are secrets, sealed like all
 * others, and every process learns of a new version as it learns of any change.
 */

import { PartywallError } from '../../core/errors.ts'
import type { Clock, Registry } from '../../core/ports.ts'
import type { IdentityKey, IdentityRecord, JsonObject, JsonValue } from '../../core/tenant.ts'

export type EnvironmentType = 'DEVELOPMENT' | 'STAGING' | 'PRODUCTION'

export interface Environment {
  /** UUID of the app, without the words around it. */
  readonly appId: string
  readonly name: string
  /** UUID of the environment. */
  readonly id: string
  readonly type: EnvironmentType
  /** By major number; none before the first deployment. Only the newest minor version of a major one is kept. */
  readonly versions: ReadonlyMap<number, Version>
  readonly variables: ReadonlyMap<string, Variable>
  readonly identity: IdentityRecord
}
export interface Version {
  readonly major: number
  readonly minor: number
  /** SHA-256 of the bundle and the manifest, in hexadecimal. */
  readonly hash: string
}
/** A run-time variable; an encrypted one is shown to nobody but the app's code. */
export interface Variable {
  readonly value: string
  readonly isEncrypted: boolean
}

export interface Environments {
  /** Makes the environment if there is none. @throws ERR_FORGE_ENVIRONMENT_INVALID */
  ensure(appId: string, name: string): Promise<Environment>
  /** @throws ERR_FORGE_ENVIRONMENT_UNKNOWN */
  get(appId: string, name: string): Promise<Environment>
  /** Counts a deployed version in. @throws ERR_INSTALL_CONFLICT somebody else deployed meanwhile */
  addVersion(environment: Environment, version: Version): Promise<Environment>
  /** `undefined` as value takes the variable away. @throws ERR_FORGE_VARIABLE_INVALID */
  setVariable(appId: string, name: string, variable: string, value: Variable | undefined): Promise<void>
}

const NAME = /^[a-z0-9][a-z0-9-]{0,49}$/
const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/
const MAX_VARIABLES_BYTES = 64 * 1024
/** The registry wants to know where an identity comes from; environments come from here. */
const HOST = 'forge.partywall'
const TYPES: ReadonlyMap<string, EnvironmentType> = new Map([
  ['staging', 'STAGING'],
  ['production', 'PRODUCTION'],
])

export const versionText = ({ major, minor }: Pick<Version, 'major' | 'minor'>): string => `${major}.${minor}.0`

export const newestOf = ({ versions }: Environment): Version | undefined => versions.get(Math.max(...versions.keys()))

export function createEnvironments(deps: {
  readonly registry: Registry
  readonly clock: Clock
  readonly newId: () => string
}): Environments {
  const { registry, clock } = deps

  const find = async (appId: string, name: string): Promise<Environment | undefined> => {
    const identity = await registry.find(keyOf(appId, name))
    return identity && toEnvironment(identity)
  }
  const get = async (appId: string, name: string): Promise<Environment> => {
    const environment = await find(appId, name)
    if (environment === undefined) {
      throw new PartywallError('ERR_FORGE_ENVIRONMENT_UNKNOWN', {
        message: `the app has no environment ${name}: nothing was deployed to it`,
      })
    }
    return environment
  }
  const write = async (
    key: IdentityKey,
    attributes: JsonObject,
    variables: ReadonlyMap<string, Variable>,
    expect: number | 'absent',
  ): Promise<Environment> => {
    const change = await registry.apply({
      kind: 'install',
      key,
      at: clock.now(),
      isOrderedByArrival: true,
      reason: 'deploy',
      host: HOST,
      secrets: { variables: JSON.stringify(Object.fromEntries(variables)) },
      attributes,
      state: 'installed',
      expect,
    })
    await change.settled()
    if (change.identity === undefined) throw new PartywallError('ERR_INSTALL_CONFLICT')
    return toEnvironment(change.identity)
  }

  return {
    get,
    async ensure(appId, name) {
      if (!NAME.test(name)) {
        throw new PartywallError('ERR_FORGE_ENVIRONMENT_INVALID', {
          message: 'an environment is named by 1 to 50 of a-z, 0-9 and -, not beginning with -',
        })
      }
      const known = await find(appId, name)
      if (known !== undefined) return known
      try {
        return await write(keyOf(appId, name), { id: deps.newId(), versions: {} }, new Map(), 'absent')
      } catch (error) {
        // Two first deployments at once: the other one made it.
        const made = await find(appId, name)
        if (made === undefined) throw error
        return made
      }
    },
    addVersion(environment, { major, minor, hash }) {
      const { identity } = environment
      const versions = { ...(identity.attributes.versions as JsonObject), [major]: { minor, hash } }
      return write(identity, { ...identity.attributes, versions }, environment.variables, identity.version)
    },
    async setVariable(appId, name, variable, value) {
      const environment = await get(appId, name)
      if (!VARIABLE_NAME.test(variable)) {
        throw new PartywallError('ERR_FORGE_VARIABLE_INVALID', { message: `not the name of a variable: ${variable}` })
      }
      const variables = new Map(environment.variables)
      if (value === undefined) variables.delete(variable)
      else variables.set(variable, value)
      if (Buffer.byteLength(JSON.stringify(Object.fromEntries(variables))) > MAX_VARIABLES_BYTES) {
        throw new PartywallError('ERR_FORGE_VARIABLE_INVALID', {
          message: `the variables of an environment are at most ${MAX_VARIABLES_BYTES} bytes together`,
        })
      }
      const { identity } = environment
      await write(identity, identity.attributes, variables, identity.version)
    },
  }
}

/** No installation can have this id: those are UUIDs. */
const keyOf = (appId: string, name: string): IdentityKey => ({
  app: appId,
  environment: name,
  dialect: 'forge',
  externalId: 'environment',
})

const known = new WeakMap<IdentityRecord, Environment>()

/** A record never changes, and every call asks: what it says is read once. */
function toEnvironment(identity: IdentityRecord): Environment {
  const found = known.get(identity)
  if (found !== undefined) return found
  const made: Environment = {
    appId: identity.app,
    name: identity.environment,
    id: String(identity.attributes.id),
    type: TYPES.get(identity.environment) ?? 'DEVELOPMENT',
    versions: readVersions(identity.attributes.versions as JsonObject),
    variables: readVariables(identity),
    identity,
  }
  known.set(identity, made)
  return made
}

// Both were written by `write` above and by nobody else.

const readVersions = (stored: JsonObject): ReadonlyMap<number, Version> =>
  new Map(
    Object.entries(stored as Readonly<Record<string, Omit<Version, 'major'>>>).map(([major, version]) => [
      Number(major),
      { ...version, major: Number(major) },
    ]),
  )

function readVariables(identity: IdentityRecord): ReadonlyMap<string, Variable> {
  const stored = JSON.parse(identity.secrets.get('variables') ?? '{}') as Record<string, JsonValue>
  return new Map(Object.entries(stored) as unknown as [string, Variable][])
}
