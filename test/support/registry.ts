/** A registry over a test database, with a fixed key-encryption key, and the changes that tests apply to it. */

import { createHash } from 'node:crypto'
import type { Clock, Logger, TenantChange } from '../../src/core/ports.ts'
import type { DialectId, JsonObject } from '../../src/core/tenant.ts'
import type { Database } from '../../src/postgres/database.ts'
import { parseKeys } from '../../src/postgres/keys.ts'
import { createRegistry, type RegistryOptions, type RegistryWithLifetime } from '../../src/postgres/registry.ts'
import { createDataKeys, type DataKeys } from '../../src/postgres/secrets.ts'

export const realClock: Clock = { now: () => Date.now(), monotonic: () => performance.now() }
const nothing = (): void => undefined
export const silent: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing }

export const TEST_KEYS = `test:${Buffer.alloc(32, 7).toString('base64')}`

export interface TestRegistry {
  readonly registry: RegistryWithLifetime
  readonly dataKeys: DataKeys
}

/** Not started: look-ups go to the database until `start`. */
export function testRegistry(
  database: Pick<Database, 'system' | 'listen'>,
  options: Partial<RegistryOptions> & { readonly keys?: string } = {},
): TestRegistry {
  const dataKeys = options.dataKeys ?? createDataKeys({ keys: parseKeys(options.keys ?? TEST_KEYS, 'test') })
  const registry = createRegistry({ database, clock: realClock, logger: silent, ...options, dataKeys })
  return { registry, dataKeys }
}

export const keyOf = (externalId: string, dialect: DialectId = 'connect') =>
  ({ app: 'com.example.app', environment: 'production', dialect, externalId }) as const

export type InstallChange = Extract<TenantChange, { kind: 'install' }>

export const install = (externalId: string, more: Partial<InstallChange> & { secret?: string } = {}): InstallChange => {
  const { secret = `secret of ${externalId}`, ...rest } = more
  return {
    kind: 'install',
    key: keyOf(externalId),
    at: Date.now(),
    reason: 'install',
    host: 'host.example.com',
    secrets: { secret },
    attributes: { base: 'https://host.example.com' } satisfies JsonObject,
    state: 'installed',
    ...rest,
  }
}

export const become = (
  kind: 'enable' | 'disable' | 'uninstall',
  externalId: string,
  more: Partial<Exclude<TenantChange, InstallChange>> = {},
): TenantChange => ({ kind, key: keyOf(externalId), at: Date.now(), reason: kind, ...more })

export const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()

export const usedToken = (token: string, body: string, expiresAt = Date.now() + 60_000) => ({
  tokenHash: sha256(token),
  bodyHash: sha256(body),
  expiresAt,
})
