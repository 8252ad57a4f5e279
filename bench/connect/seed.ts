/**
 * Very many tenants of one app, written as the registry would write them, but in batches and without their install requests. Every
 * one has a secret of its own, sealed under a data key of its own.
 */

import { newIdentityUid, newTenantUid } from '../../src/core/ids.ts'
import { bytea, textArray } from '../../src/postgres/parameters.ts'
import { createDataKeys, sealBox } from '../../src/postgres/secrets.ts'
import type { TestDatabase } from '../../test/support/database.ts'

export interface SeededTenant {
  readonly clientKey: string
  readonly secret: string
}

export interface SeededApp {
  readonly app: string
  readonly environment: string
  /** Key-encryption key of the app. */
  readonly key: { readonly id: string; readonly key: Buffer }
}

const BATCH = 5_000
const BASE_URL = 'https://seeded.atlassian.net'

const TENANTS = 'insert into pw.tenant (tenant_id) select unnest($1::uuid[])'
const IDENTITIES = `insert into pw.identity (tenant_id, uid, app, environment, dialect, external_id, host, state, reason, ordered_at, attributes)
  select t, u, $4, $5, 'connect', x, 'atlassian.net', 'enabled', 'bench', now(), $6::json
  from unnest($1::uuid[], $2::uuid[], $3::text[]) as rows (t, u, x)`
const KEYS = `insert into pw.data_key (tenant_id, kek_id, wrapped)
  select t, $2, k from unnest($1::uuid[], $3::bytea[]) as rows (t, k)`
const SECRETS = `insert into pw.secret (tenant_id, identity_uid, name, version, box)
  select t, u, 'secret', 1, b from unnest($1::uuid[], $2::uuid[], $3::bytea[]) as rows (t, u, b)`

/** As an administrator: the registry itself writes one tenant after the other. */
export async function seedTenants(
  { admin }: Pick<TestDatabase, 'admin'>,
  count: number,
  { app, environment, key }: SeededApp,
): Promise<SeededTenant[]> {
  const dataKeys = createDataKeys({ keys: { current: key, find: () => key.key }, maxEntries: 1 })
  const attributes = JSON.stringify({ baseUrl: BASE_URL, displayUrl: BASE_URL, productType: 'jira' })
  const made: SeededTenant[] = []
  for (let start = 0; start < count; start += BATCH) {
    const rows = Array.from({ length: Math.min(BATCH, count - start) }, (_, index) => {
      const tenant = newTenantUid()
      const identity = newIdentityUid()
      const dataKey = dataKeys.create(tenant)
      const secret = `seeded-secret-of-tenant-number-${start + index}`
      const box = sealBox(dataKey.key, { kind: 'secret', tenant, identity, name: 'secret', version: 1 }, secret)
      return { tenant, identity, clientKey: `seeded-${start + index}`, secret, wrapped: dataKey.wrapped, box }
    })
    const tenants = textArray(rows.map(({ tenant }) => tenant))
    const identities = textArray(rows.map(({ identity }) => identity))
    const clientKeys = textArray(rows.map(({ clientKey }) => clientKey))
    await admin(TENANTS, [tenants])
    await admin(IDENTITIES, [tenants, identities, clientKeys, app, environment, attributes])
    await admin(KEYS, [tenants, key.id, textArray(rows.map(({ wrapped }) => String(bytea(wrapped))))])
    await admin(SECRETS, [tenants, identities, textArray(rows.map(({ box }) => String(bytea(box))))])
    made.push(...rows)
  }
  await admin('analyze')
  return made
}
