// The reference names what the sources have: options, environment variables, defaults, exports.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OLD_VARIABLES } from '../src/dialects/connect/legacy/old-configuration.ts'
import { SHORT_FORMS } from '../src/dialects/connect/module-builder.ts'
import { OLD_DEFAULTS, OLD_STORES } from '../src/dialects/hipchat/legacy/environment.ts'
import { DEFAULT_FLOOD_SETTINGS } from '../src/http/flood-gate.ts'
import { DEFAULT_TENANT_LIMITS } from '../src/http/limits.ts'
import { JOB_SETTINGS } from '../src/jobs/settings.ts'
import {
  codeRows,
  codeSpans,
  exists,
  exportedNames,
  filesBelow,
  memberNames,
  read,
  titlesOf,
} from './support/documents.ts'

const [ownNames = '', oldNames = '', connectNames = ''] = read('docs/reference/configuration.md').split(
  /## Names of (?:the old libraries|atlassian-connect-express)/,
)
const configuration = codeRows(ownNames)
const documented = configuration.map(([name = '']) => codeSpans(name)).flatMap(spansOfRow)

test('the table of the configuration has every option of createApp and listen, and no other', () => {
  const prefixed = (prefix: string, names: readonly string[]) => names.map(name => `${prefix}.${name}`)
  const groups = ['database', 'limits', 'jobs', 'sandbox']
  const expected = [
    ...memberNames('src/configuration.ts', 'AppOptions').filter(name => !groups.includes(name)),
    ...prefixed('database', memberNames('src/postgres/open.ts', 'OpenDatabaseOptions')),
    ...prefixed('limits', Object.keys({ ...DEFAULT_TENANT_LIMITS, ...DEFAULT_FLOOD_SETTINGS })),
    ...prefixed('jobs', Object.keys(JOB_SETTINGS)),
    // `production` is what NODE_ENV says.
    ...prefixed(
      'sandbox',
      memberNames('src/sandbox/types.ts', 'SandboxOptions').filter(name => name !== 'production'),
    ),
    ...prefixed('listen', memberNames('src/http/server.ts', 'ListenOptions')),
    ...prefixed('listen', [...memberNames('src/http/node-handler.ts', 'NodeHandlerOptions'), 'bodyTimeoutMs']),
  ]
  assert.deepEqual(documented.filter(name => !isVariable(name)).sort(), expected.sort())
})

test('the table of the configuration has every environment variable that src reads, and no other', () => {
  const readings = /(?:\benvironment|\benv)\.([A-Z][A-Z0-9_]+)\b|'(DATABASE_[A-Z_]+)'/g
  const used = filesBelow('src', '.ts').flatMap(file =>
    [...read(file).matchAll(readings)].map(([, direct, quoted]) => direct ?? quoted ?? ''),
  )
  assert.deepEqual(documented.filter(isVariable).sort(), [...new Set(used)].sort())
})

test('the table of the configuration tells the true defaults', () => {
  const defaults = { limits: { ...DEFAULT_TENANT_LIMITS, ...DEFAULT_FLOOD_SETTINGS }, jobs: JOB_SETTINGS }
  for (const [group, settings] of Object.entries(defaults)) {
    for (const [name, value] of Object.entries(settings)) {
      const row = configuration.find(([cell]) => cell === `\`${group}.${name}\``)
      assert.equal(row?.[1], value.toLocaleString('en-US'), `${group}.${name}`)
    }
  }
})

test('the table of the old names has every name with a meaning, and its true default', () => {
  const rows = new Map(codeRows(oldNames).map(([name = '', value = '']) => [codeSpans(name)[0], value]))
  assert.deepEqual(
    [...rows.keys()].sort(),
    ['HOSTNAME', 'HOSTS', ...Object.keys({ ...OLD_DEFAULTS, ...OLD_STORES })].sort(),
  )
  for (const [name, value] of Object.entries({ ...OLD_DEFAULTS, ...OLD_STORES })) {
    assert.equal(rows.get(name)?.replaceAll('`', ''), String(value), name)
  }
})

test('the table of the names of atlassian-connect-express has every variable with a meaning', () => {
  const variables = codeRows(connectNames).flatMap(([variable = '']) => codeSpans(variable))
  assert.deepEqual(variables.filter(name => name !== 'AC_OPTS').sort(), Object.values(OLD_VARIABLES).sort())
})

test('the page of the dialect has every option of a HipChat add-on', () => {
  const table = read('docs/dialects/hipchat.md').split('## On the context')[0] ?? ''
  const names = codeRows(table).flatMap(([name = '']) => codeSpans(name))
  const missing = memberNames('src/dialects/hipchat/options.ts', 'HipchatAddonOptions')
    // Given by `developmentHosts` of the app.
    .filter(name => name !== 'insecureHosts')
    .filter(name => !names.includes(name))
  assert.deepEqual(missing, [])
})

test('the page of Connect has every option of an app and every method of its builder', () => {
  const named = codeSpans(read('docs/dialects/connect.md').replace(/```.*?```/gs, '')).map(code =>
    nameOf(code).replace(/^addon\./, ''),
  )
  const expected = [
    ...memberNames('src/dialects/connect/options.ts', 'ConnectAddonOptions').filter(name => name !== 'insecureHosts'),
    ...memberNames('src/dialects/connect/addon.ts', 'ConnectAddon'),
    ...Object.keys(SHORT_FORMS),
  ]
  const ofAdapters = ['key', 'routes', 'guard', 'freeze', 'services', 'descriptor']
  const missing = expected.filter(name => !named.includes(name) && !ofAdapters.includes(name))
  assert.deepEqual(missing, [])
})

test('the page of the dialect has every method of the builder', () => {
  const [, table = ''] = read('docs/dialects/hipchat.md').split('### The builder')
  const names = codeRows(table.split('\n## ')[0] ?? '').flatMap(([cell = '']) => codeSpans(cell).map(nameOf))
  const methods = [
    ...memberNames('src/dialects/hipchat/builder/capability-builder.ts', 'CapabilityBuilder'),
    ...memberNames('src/dialects/hipchat/webhook-arguments.ts', 'WebhookBuilder'),
    ...['onWebhook', 'onInstalled', 'onUninstalled', 'page', 'authenticate'],
  ]
  assert.deepEqual(
    methods.filter(name => !names.includes(name)),
    [],
  )
})

test('every row of the checklist of the old library names a test whose title names the method', () => {
  const [, section = ''] = read('docs/dialects/hipchat.md').split('\n## Checklist of the old library\n')
  const rows = (section.split('\n## ')[0] ?? '').split('\n').filter(line => line.startsWith('| B'))
  assert.ok(rows.length >= 150, `only ${rows.length} rows`)
  assert.deepEqual([...new Set(rows.map(row => row.slice(2, 4)))], ['B1', 'B2', 'B3', 'B4', 'B5', 'B6', 'B7', 'B8'])
  assert.deepEqual(
    section.split('\n').filter(line => line.startsWith('|') && !line.startsWith('| B')),
    ['| part | old | ours | test |', '| --- | --- | --- | --- |'],
    'one table, one form',
  )
  for (const row of rows) {
    const [part = '', old = '', , tests = ''] = row.slice(2, -2).split(' | ')
    const [method] = codeSpans(old)
    assert.ok(/^B[1-8]$/.test(part) && method !== undefined, row)
    // A dash: there is none of ours, and the row says what to do instead.
    if (tests === '-') continue
    const named = codeSpans(tests).flatMap(file => (exists(file) ? titlesOf(file) : []))
    assert.ok(
      named.some(title => isTitleOf(title, part, nameOf(method))),
      row,
    )
  }
})

/** Tables whose rows name tests: `` `file` “how its title begins” ``. */
const NAMED_TESTS = [
  { file: 'docs/reference/security.md', section: 'Known attacks on Connect apps', rows: 13 },
  { file: 'docs/dialects/connect.md', section: 'Parts of atlassian-connect-express', rows: 28 },
  { file: 'docs/guide/simulated-host.md', section: 'Checklist of the simulated Connect products', rows: 20 },
]
for (const { file, section, rows } of NAMED_TESTS) {
  test(`every row of “${section}” names tests that are there`, () => {
    const [, text = ''] = read(file).split(`\n## ${section}\n`)
    const lines = (text.split('\n## ')[0] ?? '').split('\n').filter(line => /^\| (?!---)/.test(line))
    // The first one is the head of the table.
    assert.equal(lines.length - 1, rows)
    for (const line of lines.slice(1)) {
      const cells = line.slice(2, -2).split(' | ')
      const tests = cells.at(-1) ?? ''
      // A dash: there is none of ours, and the row says why.
      if (tests === '-') {
        assert.match(cells.at(-2) ?? '', /^- /, line)
        continue
      }
      const named = [...tests.matchAll(/`([^`]+)` “([^”]+)”/g)]
      assert.ok(named.length > 0, line)
      for (const [, where = '', title = ''] of named) {
        assert.ok(exists(where), `${where} in ${line}`)
        assert.ok(
          titlesOf(where).some(one => one.startsWith(title)),
          `${where} has no test “${title}”`,
        )
      }
    }
  })
}

test('the page of the API has every export of every entry, and no other', () => {
  const entries: Record<string, { readonly 'partywall-source': string }> = JSON.parse(read('package.json')).exports
  const sections = read('docs/reference/api.md')
    .split(/^## /m)
    .slice(1)
    .map(section => [section.slice(0, section.indexOf('\n')), section] as const)
  assert.deepEqual(
    sections.map(([title]) => title),
    Object.keys(entries).map(subpath => `partywall${subpath.slice(1)}`),
  )
  for (const [title, text] of sections) {
    const file = entries[title.replace('partywall', '.')]?.['partywall-source'] ?? ''
    assert.ok(exists(file), `${title}: ${file} is missing`)
    const names = codeRows(text).flatMap(([name = '']) => codeSpans(name).map(span => span.replace(/\(.*/, '')))
    assert.deepEqual(names.sort(), exportedNames(file), title)
  }
})

/** `B2 vendor, vendorName: ...` is a title of `vendorName`. */
function isTitleOf(title: string, part: string, name: string): boolean {
  const [, ownPart, names = ''] = /^(B\d) ([^:]+):/.exec(title) ?? []
  return ownPart === part && names.split(', ').includes(name)
}

/** `glance(key, name)` is called `glance`. */
const nameOf = (call: string): string => call.replace(/\(.*/s, '')

const isVariable = (name: string): boolean => /^[A-Z][A-Z0-9_]+$/.test(name)

/** `listen`: `port` is `listen.port`; `clock`, `random` are two names. */
function spansOfRow(spans: readonly string[]): readonly string[] {
  return spans[0] === 'listen' ? spans.slice(1).map(name => `listen.${name}`) : spans
}
