/**
 * Refuses to start with a login that could pass the wall, or with a wall that has a hole. The catalog is asked, not trusted:
 * whatever was granted or dropped since the database was prepared shows here.
 */

import { PartywallError } from '../core/errors.ts'
import { newTenantUid } from '../core/ids.ts'
import type { Database, Row, Statement } from './database.ts'
import { type Login, roleOf } from './roles.ts'

/** What the two policies of `pw.protect` say, as PostgreSQL prints them. */
const IS_TENANT = "(tenant_id = (current_setting('pw.tenant_id'::text))::uuid)"
const IS_BOUND = `(${IS_TENANT} AND (current_setting('pw.bound_at'::text) = (transaction_timestamp())::text))`

/** True of schemas that are not PostgreSQL's own. */
const OWN_SCHEMA = `n.nspname <> 'pg_catalog' and n.nspname <> 'information_schema' and n.nspname !~ '^pg_(toast|temp)'`

/**
 * One row per finding: what is wrong with the login that runs it. $1 is the role it must be.
 * Attributes count through membership whether inherited or not, because SET ROLE needs no inheritance.
 */
const LOGIN_FINDINGS: Statement = {
  name: 'pw_login_findings',
  text: `
    with me as (select * from pg_roles where rolname = session_user)
    select 'is the login ' || rolname || ', not ' || $1::text from me where rolname <> $1::text
    union all select 'is superuser' from me where rolsuper
    union all select 'has BYPASSRLS' from me where rolbypassrls
    union all select 'has CREATEROLE' from me where rolcreaterole
    union all select 'has CREATEDB' from me where rolcreatedb
    union all select 'has REPLICATION' from me where rolreplication
    union all select 'is a member of ' || r.rolname from me, pg_roles r
      where r.oid <> me.oid and pg_has_role(me.oid, r.oid, 'member') and not me.rolsuper
    union all select 'owns the database' from me, pg_database d where d.datname = current_database() and d.datdba = me.oid
    union all select 'owns schema ' || n.nspname from me, pg_namespace n
      where n.nspowner = me.oid and n.nspname !~ '^pg_(toast_)?temp'
    union all select 'owns ' || format('%I.%I', n.nspname, c.relname) from me, pg_class c, pg_namespace n
      where c.relowner = me.oid and n.oid = c.relnamespace and ${OWN_SCHEMA}
    union all select 'owns function ' || p.oid::regprocedure from me, pg_proc p where p.proowner = me.oid
    union all select 'may create schemas' from me where has_database_privilege(me.oid, current_database(), 'create')
    union all select 'may create objects in schema ' || n.nspname from me, pg_namespace n
      where has_schema_privilege(me.oid, n.oid, 'create') and ${OWN_SCHEMA}
    union all select 'has ' || right_name || ' on ' || format('%I.%I', n.nspname, c.relname)
      from me, pg_class c, pg_namespace n, unnest(array['truncate', 'references', 'trigger']) right_name
      where n.oid = c.relnamespace and ${OWN_SCHEMA} and c.relkind in ('r', 'p', 'v', 'm', 'f')
        and has_table_privilege(me.oid, c.oid, right_name)
    limit 20`,
}

/** Holes in what pw_app can reach. $1, $2: the policies' expressions. */
const WALL_FINDINGS: Statement = {
  name: 'pw_wall_findings',
  text: `
    with reach as (
      select c.oid as id, format('%I.%I', n.nspname, c.relname) as name, c.relkind, c.reloptions, c.relrowsecurity, c.relforcerowsecurity from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relkind in ('r', 'p', 'v', 'm', 'f') and ${OWN_SCHEMA}
        and (has_table_privilege('pw_app', c.oid, 'select, insert, update, delete')
             or has_any_column_privilege('pw_app', c.oid, 'select, insert, update'))
    ), tenants as (
      select r.*, has_table_privilege('pw_app', r.id, 'insert, update, delete')
        or has_any_column_privilege('pw_app', r.id, 'insert, update') as is_written
      from reach r where r.relkind in ('r', 'p')
        and exists (select from pg_attribute a where a.attrelid = r.id and a.attname = 'tenant_id' and not a.attisdropped)
    ), walled as (select * from tenants where is_written)
    select 'table ' || name || ' lacks enabled and forced row-level security' from tenants
      where not (relrowsecurity and relforcerowsecurity)
    union all select 'table ' || name || ' shows pw_app more than the tenant''s rows (policy ' || p.polname || ')'
      from tenants t join pg_policy p on p.polrelid = t.id
      where not t.is_written and p.polpermissive and p.polroles && array[0::oid, 'pw_app'::regrole::oid]
        and pg_get_expr(p.polqual, t.id) is distinct from $1::text
    union all select 'table ' || name || ' lacks the policy "tenant" of pw.protect' from walled w
      where not exists (select from pg_policy p where p.polrelid = w.id and p.polname = 'tenant' and p.polpermissive
        and p.polcmd = '*' and p.polroles = array['pw_app'::regrole::oid]
        and pg_get_expr(p.polqual, w.id) = $1::text and pg_get_expr(p.polwithcheck, w.id) = $1::text)
    union all select 'table ' || name || ' lacks the policy "bound" of pw.protect' from walled w
      where not exists (select from pg_policy p where p.polrelid = w.id and p.polname = 'bound' and not p.polpermissive
        and p.polcmd = '*' and p.polroles = array['pw_app'::regrole::oid]
        and pg_get_expr(p.polqual, w.id) = $2::text and pg_get_expr(p.polwithcheck, w.id) = $2::text)
    union all select 'view ' || name || ' runs with the rights of its owner (security_invoker is off)' from reach
      where relkind = 'v' and not coalesce(reloptions && array['security_invoker=true', 'security_invoker=on',
        'security_invoker=1', 'security_invoker=yes'], false)
    union all select 'materialized view ' || name || ' cannot be walled' from reach where relkind = 'm'
    union all select 'foreign table ' || name || ' cannot be walled' from reach where relkind = 'f'
    union all select 'function ' || format('%I.%I', n.nspname, p.proname) || ' runs with the rights of its owner (security definer)'
      from pg_proc p join pg_namespace n on n.oid = p.pronamespace
      where p.prosecdef and ${OWN_SCHEMA} and has_schema_privilege('pw_app', n.oid, 'usage')
        and has_function_privilege('pw_app', p.oid, 'execute')
    union all select 'table ' || w.name || ' can be read or written by ' || other
      from walled w, unnest(array['pw_system']) other
      where has_any_column_privilege(other, w.id, 'select, insert, update') or has_table_privilege(other, w.id, 'delete')
    limit 20`,
}

/** @throws ERR_WALL_UNSAFE_ROLE naming the login, everything that was found (20 at most each), and what to do */
export async function refuseUnsafeDatabase(database: Database): Promise<void> {
  const asApp = (statement: Statement, values: readonly string[]): Promise<readonly Row[]> =>
    database.app.query(newTenantUid(), statement, values)
  const [app, system, jobs, wall] = await Promise.all([
    asApp(LOGIN_FINDINGS, [roleOf('app')]),
    database.system.query(LOGIN_FINDINGS, [roleOf('system')]),
    database.jobs.query(LOGIN_FINDINGS, [roleOf('jobs')]),
    database.system.query(WALL_FINDINGS, [IS_TENANT, IS_BOUND]),
  ])
  const findings = [
    ...ofLogin('app', app),
    ...ofLogin('system', system),
    ...ofLogin('jobs', jobs),
    ...wall.map(row => row[0] ?? ''),
  ]
  if (findings.length === 0) return
  throw new PartywallError('ERR_WALL_UNSAFE_ROLE', {
    message:
      `the wall between tenants has holes: ${findings.join('; ')}. ` +
      'Use the logins that "npx partywall db prepare --admin-url <administrator URL>" makes; ' +
      'revoke what was granted to them since; protect tables of your own with pw.protect()',
    details: { findings: findings.length },
  })
}

const ofLogin = (login: Login, rows: readonly Row[]): string[] =>
  rows.map(row => `the login for ${login} ${row[0] ?? ''}`)
