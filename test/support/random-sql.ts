/**
 * Random SQL as a careless author would write it: no condition on the tenant anywhere. Every statement's result is the same
 * for the same rows (ordered aggregates, no limit, one source row per change), so that two databases can be compared.
 */

import fc from 'fast-check'

/** Tables that `seedStatements` fills; all but kv are an app's own. */
const TABLES = {
  'pw.kv': ['tenant_id', 'space', 'scope', 'key', 'value::text', 'version'],
  'app.item': ['tenant_id', 'id', 'grp', 'name', 'data::text'],
  'app.link': ['tenant_id', 'id', 'item_id', 'weight'],
} as const
type Table = keyof typeof TABLES
const NAMES = Object.keys(TABLES) as Table[]

export const SCHEMA = `
  create schema app authorization pw_author;
  create table app.item (tenant_id uuid not null, id int not null, grp int, name text collate "C", data jsonb,
    primary key (tenant_id, id));
  create index item_grp on app.item (tenant_id, grp);
  create table app.link (tenant_id uuid not null, id int not null, item_id int not null, weight int,
    primary key (tenant_id, id), foreign key (tenant_id, item_id) references app.item on delete cascade);
  create view app.names with (security_invoker = true) as select tenant_id, id, name from app.item;
  select pw.protect('app.item'), pw.protect('app.link');
  grant usage on schema app to pw_app; grant select on app.names to pw_app`

/** Rows of one tenant; `mark` is in every text, `base` below every number. */
export const seedStatements = (tenant: string, mark: string, base: number, count: number): readonly string[] => [
  'delete from app.link',
  'delete from app.item',
  'delete from pw.kv',
  `insert into app.item select '${tenant}', n, ${base} + n % 4, '${mark}' || n, jsonb_build_object('mark', '${mark}', 'n', ${base} + n)
   from generate_series(1, ${count}) n`,
  `insert into app.link select '${tenant}', n, n, ${base} + n from generate_series(1, ${count}) n`,
  `insert into pw.kv (tenant_id, space, scope, key, value) select '${tenant}', 'store', '${mark}', 'k' || n, to_json(${base} + n)
   from generate_series(1, ${count}) n`,
]

const table = fc.constantFrom(...NAMES)
const smallInt = fc.integer({ min: -2, max: 12 })
const literal = fc.oneof(smallInt.map(String), fc.constantFrom("'x'", 'null', "'a1'", "'%'"))
const number = (alias: string, name: Table): fc.Arbitrary<string> =>
  fc.constantFrom(
    ...(name === 'pw.kv'
      ? [`${alias}.version`, `length(${alias}.key)`, `(${alias}.value::text)::float8`]
      : name === 'app.item'
        ? [`${alias}.id`, `${alias}.grp`, `(${alias}.data->>'n')::int`]
        : [`${alias}.id`, `${alias}.item_id`, `${alias}.weight`]),
  )
const column = (alias: string, name: Table): fc.Arbitrary<string> =>
  fc.constantFrom(...TABLES[name].map(text => `${alias}.${text}`))

/** Conditions about anything but the tenant; often none. */
const condition = (alias: string, name: Table): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 3, arbitrary: fc.constant('true') },
    {
      weight: 2,
      arbitrary: fc
        .tuple(number(alias, name), fc.constantFrom('<', '>', '=', '<>', '>='), smallInt)
        .map(([left, operator, right]) => `${left} ${operator} ${right}`),
    },
    { weight: 1, arbitrary: column(alias, name).map(text => `${text} is not null`) },
    { weight: 1, arbitrary: column(alias, name).map(text => `(${text})::text like '%1%'`) },
    { weight: 1, arbitrary: fc.constant('1 = 1 or true') },
  )

const subquery = table.chain(name =>
  fc.oneof(
    fc.constant(`(select count(*) from ${name})`),
    number('s', name).map(text => `(select coalesce(max(${text}), 0) from ${name} s)`),
    fc.constant(`(select count(distinct tenant_id) from ${name})`),
  ),
)

const plainSelect = table.chain(name =>
  fc
    .tuple(fc.uniqueArray(column('t', name), { minLength: 1, maxLength: 3 }), condition('t', name))
    .map(([columns, where]) => `select ${columns.join(', ')} from ${name} t where ${where}`),
)
const aggregate = table.chain(name =>
  fc.tuple(number('t', name), column('t', name), condition('t', name)).map(
    ([value, text, where]) =>
      `select count(*), sum(${value}), min(${value}), max((${text})::text), count(distinct t.tenant_id),
         string_agg((${text})::text, ',' order by (${text})::text) from ${name} t where ${where}`,
  ),
)
const grouped = table.chain(name =>
  fc
    .tuple(column('t', name), number('t', name))
    .map(
      ([by, value]) =>
        `select ${by} as a, count(*), avg(${value})::numeric(20, 4) from ${name} t group by 1 having count(*) > 0`,
    ),
)
const join = fc
  .tuple(table, table, fc.constantFrom('cross join', 'left join', 'full join', 'join'))
  .chain(([left, right, kind]) =>
    fc.tuple(column('l', left), column('r', right), number('l', left), number('r', right)).map(([a, b, x, y]) => {
      const on = kind === 'cross join' ? '' : kind === 'full join' ? `on (${x})::int = (${y})::int` : `on ${x} >= ${y}`
      return `select ${a} as a, ${b} as b from ${left} l ${kind} ${right} r ${on}`
    }),
  )
const setOperation = fc
  .tuple(table, table, fc.constantFrom('union', 'union all', 'except', 'intersect'))
  .map(([left, right, kind]) => `select tenant_id::text from ${left} ${kind} select tenant_id::text from ${right}`)
const nested = fc.tuple(table, table, subquery).map(
  ([outer, inner, value]) =>
    `select (select count(*) from ${inner} i where i.tenant_id <> o.tenant_id) as foreign_rows, ${value} as v, o.tenant_id
       from ${outer} o where exists (select from ${inner} i2) or o.tenant_id is null`,
)
const window = table.chain(name =>
  number('t', name).map(
    value =>
      `select t.tenant_id, count(*) over (), rank() over (order by ${value}), sum(${value}) over () from ${name} t`,
  ),
)
const recursive = fc.constant(
  `with recursive walk(id, n) as (select id, 0 from app.item union all select l.id, n + 1 from walk w join app.link l on l.item_id = w.id
   where n < 2) select id, n from walk`,
)
const view = fc.constant('select * from app.names')
const locking = table.map(name => `select t.tenant_id from ${name} t for update`)

const update = table.chain(name =>
  condition('t', name).map(where => {
    const set =
      name === 'pw.kv'
        ? "version = version + 1, value = '7'"
        : name === 'app.item'
          ? "grp = grp + 1, name = name || '+'"
          : 'weight = coalesce(weight, 0) * 2'
    return `update ${name} t set ${set} where ${where} returning ${name === 'pw.kv' ? 'key, version' : 't.*'}`
  }),
)
const updateFrom = fc.constantFrom(
  'update app.item i set grp = l.weight from (select item_id, max(weight) as weight from app.link group by 1) l where l.item_id = i.id returning i.*',
  'update app.item set grp = (select count(*) from app.link)',
  'update app.link l set weight = i.grp from app.item i where true and i.id = l.id returning l.*, i.*',
)
const remove = table.chain(name =>
  condition('t', name).map(where => `delete from ${name} t where ${where} returning t.tenant_id`),
)
const removeUsing = fc.constantFrom(
  'delete from app.link l using app.item i where i.grp > 3 returning l.*',
  'delete from app.item where id in (select item_id from app.link where weight > 5)',
)
const withWrites = table.chain(name =>
  condition('t', name).map(
    where => `with gone as (delete from ${name} t where ${where} returning t.tenant_id)
      select count(*), count(distinct tenant_id) from gone`,
  ),
)

/** @param own the tenant that runs it @param other the tenant whose rows must stay out of reach */
const inserts = (own: string, other: string): fc.Arbitrary<string> =>
  fc.oneof(
    fc
      .tuple(fc.constantFrom(own, own, other), smallInt, literal)
      .map(
        ([tenant, id, text]) =>
          `insert into app.item (tenant_id, id, grp, name) values ('${tenant}', ${id}, ${id}, ${text}) returning *`,
      ),
    fc
      .tuple(
        fc.constantFrom(own, own, other),
        smallInt,
        fc.constantFrom('do nothing', 'do update set name = excluded.name || app.item.name'),
      )
      .map(
        ([tenant, id, action]) => `insert into app.item (tenant_id, id, grp, name) values ('${tenant}', ${id}, 1, 'new')
          on conflict (tenant_id, id) ${action} returning *`,
      ),
    fc
      .tuple(fc.constantFrom(own, other), smallInt, smallInt)
      .map(([tenant, id, item]) => `insert into app.link values ('${tenant}', ${id} + 40, ${item}, 1) returning *`),
    fc.constantFrom(
      `insert into app.item select tenant_id, id + 50, grp, name from app.item where id < 3 on conflict do nothing returning *`,
      `insert into app.item select '${other}', id + 50, grp, name from app.item where id < 3`,
      `update app.item set tenant_id = '${other}'`,
      `update pw.kv set tenant_id = '${other}' where key = 'k1'`,
      `insert into pw.kv (tenant_id, space, scope, key, value) values ('${other}', 'store', '', 'planted', '1')`,
      `insert into pw.kv (tenant_id, space, scope, key, value) values ('${own}', 'store', '', 'own', '1')
       on conflict (tenant_id, space, scope, key) do update set version = pw.kv.version + 1 returning key, version`,
      `select * from app.item where tenant_id = '${other}'`,
      `delete from app.item where tenant_id = '${other}' or true returning tenant_id`,
      `merge into app.item t using (select * from app.link) s on t.id = s.item_id
       when matched and s.weight > 3 then update set grp = s.weight when matched then delete`,
      `merge into app.item t using (values ('${other}'::uuid, 1)) s(tenant_id, id) on t.tenant_id = s.tenant_id and t.id = s.id
       when matched then delete when not matched then insert (tenant_id, id) values (s.tenant_id, s.id)`,
    ),
  )

export const randomStatement = (own: string, other: string): fc.Arbitrary<string> =>
  fc.oneof(
    plainSelect,
    aggregate,
    grouped,
    join,
    setOperation,
    nested,
    window,
    recursive,
    view,
    locking,
    update,
    updateFrom,
    remove,
    removeUsing,
    withWrites,
    inserts(own, other),
    inserts(own, other),
  )
