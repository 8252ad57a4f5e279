// Walks PostgreSQL's own catalog of a prepared database and fails on any table, key, function, view or right that does not fit
// the wall. Lists of exceptions are short and written out: a new table has to be put behind the wall, or here, on purpose.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createTestDatabase, type TestDatabase } from './support/database.ts'

const TENANT = "(tenant_id = (current_setting('pw.tenant_id'::text))::uuid)"
const BOUND = `(${TENANT} AND (current_setting('pw.bound_at'::text) = (transaction_timestamp())::text))`

/** Registry tables, read before a tenant is known: only pw_system sees them. */
const RESERVED = [
  'audit',
  'data_key',
  'epoch',
  'erased',
  'farewell',
  'identity',
  'lease',
  'secret',
  'tenant',
  'token',
  'used_token',
]
/** Tables under the wall, with what pw_jobs may see and change of them. Never `value` or `payload`. */
const WALLED = ['forge_index', 'forge_value', 'inbox', 'job', 'kv', 'schedule']
/** Holds no row of any tenant. */
const WITHOUT_TENANT = ['epoch', 'lease', 'migration']
/** Tells a stopped process that its tenant is gone: pw_app sees its own line there. */
const SEEN_BY_APP = ['erased']
const UNSEEN_BY_JOBS = ['value', 'payload', 'last_error', 'replay_key']

let testDatabase: TestDatabase
before(async () => {
  testDatabase = await createTestDatabase()
})
after(() => testDatabase.close())

const query = (text: string) => testDatabase.admin(text)
const names = async (text: string): Promise<unknown[]> => (await query(text)).map(row => row.name)

test('F 58: every table is on exactly one of the lists', async () => {
  const found = await names(
    "select relname as name from pg_class where relnamespace = 'pw'::regnamespace and relkind in ('r', 'p') order by 1",
  )
  assert.deepEqual(found, [...RESERVED, ...WALLED, 'migration'].sort())
  assert.deepEqual(
    await names(`select relname as name from pg_class c where relnamespace = 'pw'::regnamespace and relkind in ('r', 'p')
      and not exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and a.attnotnull) order by 1`),
    WITHOUT_TENANT,
  )
})

test('F 58: every table but the list of migrations has row-level security enabled and forced', async () => {
  assert.deepEqual(
    await names(`select relname as name from pg_class where relnamespace = 'pw'::regnamespace and relkind in ('r', 'p')
      and not (relrowsecurity and relforcerowsecurity)`),
    ['migration'],
  )
})

test('F 58: walled tables have both policies for all commands, with USING and WITH CHECK; others are on the list', async () => {
  const policies = await query(`
    select c.relname as table, p.polname as policy, p.polpermissive as permissive, p.polcmd as command,
      (select string_agg(rolname, ',') from pg_roles where oid = any(p.polroles)) as roles,
      pg_get_expr(p.polqual, c.oid) as using, pg_get_expr(p.polwithcheck, c.oid) as check
    from pg_policy p join pg_class c on c.oid = p.polrelid order by 1, 2`)
  const of = (table: string) => policies.filter(policy => policy.table === table)
  for (const table of WALLED) {
    const [bound, tenant] = ['bound', 'tenant'].map(name => of(table).find(policy => policy.policy === name))
    const all = { table, command: '*', roles: 'pw_app' }
    assert.deepEqual(bound, { ...all, policy: 'bound', permissive: false, using: BOUND, check: BOUND })
    assert.deepEqual(tenant, { ...all, policy: 'tenant', permissive: true, using: TENANT, check: TENANT })
    const others = of(table).filter(policy => policy !== bound && policy !== tenant)
    for (const policy of others) {
      // Restrictive ones only take away; permissive ones are pw_jobs' alone.
      assert.ok(policy.permissive === false || policy.roles === 'pw_jobs', JSON.stringify(policy))
    }
  }
  for (const table of RESERVED) {
    for (const policy of of(table)) {
      const isOwn =
        SEEN_BY_APP.includes(table) && policy.roles === 'pw_app' && policy.using === TENANT && policy.command === 'r'
      assert.ok(policy.roles === 'pw_system' || isOwn, JSON.stringify(policy))
    }
  }
})

test('F 61: rights are those on the lists, and never truncate, references or trigger', async () => {
  const grants = await query(`
    select c.relname as table, g.rolname as role, string_agg(lower(a.privilege_type), ' ' order by a.privilege_type) as rights
    from pg_class c, aclexplode(c.relacl) a left join pg_roles g on g.oid = a.grantee
    where c.relnamespace = 'pw'::regnamespace and c.relkind in ('r', 'p') and g.rolname is distinct from 'pw_owner'
    group by 1, 2`)
  const all = 'delete insert select update'
  for (const { table, role, rights } of grants as { table: string; role: string | null; rights: string }[]) {
    assert.notEqual(role, null, `the public has ${rights} on ${table}`)
    assert.doesNotMatch(rights, /truncate|references|trigger|maintain/)
    if (role === 'pw_app') {
      const expected = WALLED.includes(table)
        ? all
        : SEEN_BY_APP.includes(table) || table === 'migration'
          ? 'select'
          : 'none'
      assert.equal(rights, expected, `pw_app on ${table}`)
    } else if (role === 'pw_system') {
      assert.ok(RESERVED.includes(table) || table === 'migration', `pw_system on ${table}`)
    } else {
      assert.equal(role, 'pw_jobs')
      assert.ok(
        table === 'migration' ? rights === 'select' : WALLED.includes(table) && rights === 'delete',
        `pw_jobs on ${table}: ${rights}`,
      )
    }
  }
})

test('pw_jobs sees no payload, no value and no error text', async () => {
  const columns = await query(`
    select c.relname as table, a.attname as column from pg_attribute a join pg_class c on c.oid = a.attrelid
    where c.relnamespace = 'pw'::regnamespace and c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped
      and has_column_privilege('pw_jobs', c.oid, a.attnum, 'select')`)
  for (const { table, column } of columns) {
    assert.ok(!UNSEEN_BY_JOBS.includes(String(column)), `pw_jobs reads ${table}.${column}`)
  }
  assert.ok(columns.length > 10)
})

test('F 62: primary, unique and foreign keys start with the tenant; the one exception is how a host names an identity', async () => {
  const keys = await query(`
    select c.relname as table, i.relname as index,
      (select attname from pg_attribute where attrelid = x.indrelid and attnum = x.indkey[0]) as first
    from pg_index x join pg_class c on c.oid = x.indrelid join pg_class i on i.oid = x.indexrelid
    where c.relnamespace = 'pw'::regnamespace and x.indisunique`)
  const others = keys.filter(key => key.first !== 'tenant_id' && !WITHOUT_TENANT.includes(String(key.table)))
  assert.deepEqual(
    others.map(key => key.index),
    ['identity_external'],
  )
  const references = await query(`
    select o.conname as name, o.conrelid::regclass::text as table,
      (select attname from pg_attribute where attrelid = o.conrelid and attnum = o.conkey[1]) as from,
      (select attname from pg_attribute where attrelid = o.confrelid and attnum = o.confkey[1]) as to
    from pg_constraint o where o.contype = 'f' and o.connamespace = 'pw'::regnamespace`)
  assert.ok(references.length >= 4)
  for (const reference of references)
    assert.deepEqual([reference.from, reference.to], ['tenant_id', 'tenant_id'], String(reference.name))
  const exclusions = await names(
    "select conname as name from pg_constraint where contype = 'x' and connamespace = 'pw'::regnamespace",
  )
  assert.deepEqual(exclusions, [])
})

test('F 61: no function with the rights of its owner, none for the public, no views, no rules, no triggers, no sequences', async () => {
  assert.deepEqual(
    await names("select proname as name from pg_proc where pronamespace = 'pw'::regnamespace and prosecdef"),
    [],
  )
  assert.deepEqual(
    await names(`select p.proname as name from pg_proc p where p.pronamespace = 'pw'::regnamespace
      and (has_function_privilege('pw_app', p.oid, 'execute') or has_function_privilege('pw_jobs', p.oid, 'execute'))`),
    [],
  )
  assert.deepEqual(
    await names(
      "select relname as name from pg_class where relnamespace = 'pw'::regnamespace and relkind in ('v', 'm', 'f', 'S')",
    ),
    [],
  )
  assert.deepEqual(
    await names(`select tgname as name from pg_trigger t join pg_class c on c.oid = t.tgrelid
      where c.relnamespace = 'pw'::regnamespace and not t.tgisinternal`),
    [],
  )
})

test('F 57: the logins have no attribute, membership or object that could pass the wall; the owner cannot log in', async () => {
  const roles = await query(`
    select rolname as role, rolsuper or rolcreaterole or rolcreatedb or rolbypassrls or rolreplication as is_mighty,
      rolinherit as inherits, rolcanlogin as login
    from pg_roles where rolname ~ '^pw_' order by 1`)
  const login = { is_mighty: false, inherits: false, login: true }
  const owner = { is_mighty: false, inherits: true, login: false }
  assert.deepEqual(roles, [
    { role: 'pw_app', ...login },
    { role: 'pw_author', ...owner },
    { role: 'pw_jobs', ...login },
    { role: 'pw_owner', ...owner },
    { role: 'pw_system', ...login },
  ])
  assert.deepEqual(
    await names(
      `select m.rolname as name from pg_auth_members a join pg_roles m on m.oid = a.member where m.rolname ~ '^pw_'`,
    ),
    [],
  )
})

test('indexes and policies use only operators that row-level security lets into an index', async () => {
  const leaky = await names(`
    select distinct p.oid::regprocedure::text as name
    from pg_index x join pg_class c on c.oid = x.indrelid cross join unnest(x.indclass) as k(opclass)
      join pg_opclass oc on oc.oid = k.opclass join pg_amop ao on ao.amopfamily = oc.opcfamily and ao.amoplefttype = oc.opcintype
        and ao.amoprighttype = oc.opcintype join pg_operator o on o.oid = ao.amopopr join pg_proc p on p.oid = o.oprcode
    where c.relnamespace = 'pw'::regnamespace and c.relrowsecurity and ao.amopmethod = 403 and not p.proleakproof`)
  assert.deepEqual(leaky, [])
})
