/** Which tables hold rows of tenants: found in the catalog, so that app authors' protected tables are among them. */

import { createHash } from 'node:crypto'
import type { PlainPool, Statement } from './database.ts'

/** Tables behind the wall (`pw.protect`): tables that point to others come before those they point to, as far as that goes. */
const WALLED: Statement = {
  name: 'pw_retention_walled',
  text: `with recursive walled as (
      select distinct c.oid from pg_catalog.pg_class c join pg_catalog.pg_policy p on p.polrelid = c.oid
      where c.relkind in ('r', 'p') and not c.relispartition and p.polname = 'bound' and not p.polpermissive
        and p.polroles @> array[(select oid from pg_catalog.pg_roles where rolname = 'pw_app')]
    ), depth as (
      select oid, 0 as level from walled
      union
      select f.confrelid, d.level + 1 from depth d join pg_catalog.pg_constraint f on f.conrelid = d.oid and f.contype = 'f'
        and f.confrelid <> f.conrelid join walled w on w.oid = f.confrelid where d.level < 32
    )
    select quote_ident(n.nspname) || '.' || quote_ident(c.relname), max(d.level), (
        select json_agg(quote_ident(a.attname) order by a.attnum) from pg_catalog.pg_index i
        join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey::int2[])
        where i.indrelid = c.oid and i.indisprimary and a.attname <> 'tenant_id')::text
    from depth d join pg_catalog.pg_class c on c.oid = d.oid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    group by 1, c.oid order by 2, 1`,
}

/** Rows deleted in one statement. */
const ERASE_BATCH = 5_000

export interface WalledTable {
  /** Schema and name, quoted. */
  readonly name: string
  /** Deletes rows of tenant $1, `ERASE_BATCH` of them where the table has a primary key. */
  readonly erase: Statement
  /** Whether rows of tenant $1 are left. */
  readonly isLeft: Statement
}

export async function findWalledTables(system: PlainPool): Promise<readonly WalledTable[]> {
  const rows = await system.query(WALLED, [])
  return rows.map(([name, , key]) => toTable(name ?? '', JSON.parse(key ?? '[]') as readonly string[]))
}

/** The names come from the catalog, quoted by the server. */
function toTable(name: string, key: readonly string[]): WalledTable {
  const id = createHash('sha256').update(name).digest('hex').slice(0, 16)
  return {
    name,
    erase: { name: `pw_retention_erase_${id}`, text: eraseText(name, key) },
    isLeft: {
      name: `pw_retention_left_${id}`,
      text: `select exists (select from ${name} where tenant_id = $1)`,
    },
  }
}

/**
 * Picked by primary key: conditions on the place of a row (`ctid`) may not be used as an index before the policies have
 * seen the row. A table without a key beside the tenant is erased by one statement.
 */
function eraseText(name: string, key: readonly string[]): string {
  if (key.length === 0) return `delete from ${name} where tenant_id = $1`
  const matches = key.map(column => `t.${column} = d.${column}`).join(' and ')
  return `with doomed as materialized (select ${key.join(', ')} from ${name} where tenant_id = $1 limit ${ERASE_BATCH})
    delete from ${name} t using doomed d where t.tenant_id = $1 and ${matches}`
}
