// The manifest as the platform reads it: what it takes, what it warns of, what it refuses, and where in the file.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { timeoutOf } from '../../../src/forge/invocations/timeouts.ts'
import { compareManifests } from '../../../src/forge/manifest/compare.ts'
import { readManifest } from '../../../src/forge/manifest/read.ts'

const APP = `app:
  id: ari:cloud:ecosystem::app/5f0c7a1e-6a3c-4d0e-9b1f-2f4f2c8f1d10
  runtime:
    name: nodejs20.x
`
const read = (body: string, variables: Readonly<Record<string, string>> = {}) => readManifest(APP + body, { variables })
const problemsOf = (text: string): string => {
  try {
    readManifest(text, { variables: {} })
  } catch (error) {
    assert.equal((error as { code?: string }).code, 'ERR_FORGE_MANIFEST')
    return (error as Error).message
  }
  return assert.fail('it was taken')
}

test('what is wrong is named with line and column', () => {
  const cases = [
    ['app: [', /^manifest\.yml:1:/],
    ['- modules', /mapping/],
    [APP.replace(/ari:.*/, '7'), /manifest\.yml:2:\d+ app\.id/],
    [
      `${APP}modules:\n  function:\n    - key: a b\n      handler: index.run\n`,
      /manifest\.yml:7:\d+ modules\.function\[0\]\.key/,
    ],
    [
      `${APP}modules:\n  function:\n    - key: a\n      handler: index.run.twice\n`,
      /manifest\.yml:8:\d+ modules\.function\[0\]\.handler/,
    ],
    [`${APP}modules:\n  webtrigger:\n    - key: w\n      function: missing\n`, /manifest\.yml:8:\d+ .*missing/],
    [`${APP}modules:\n  trigger:\n    - key: t\n      events: [x]\n`, /modules\.trigger\[0\]/],
  ] as const
  for (const [text, place] of cases) assert.match(problemsOf(text), place, text)
})

test('unknown module types, old runtimes and modules that are not simulated are warnings', () => {
  const manifest = read(`modules:
  brandNew:thing: [{ key: a }]
  sql: [{ key: db, engine: mysql }]
  function: [{ key: f, handler: index.run }]
`)
  const texts = manifest.warnings.map(({ message }) => message).join('\n')
  assert.match(texts, /brandNew:thing/)
  assert.match(texts, /sql/)
  assert.deepEqual(manifest.notSimulated.map(({ type }) => type).sort(), ['brandNew:thing', 'sql'])
  assert.match(
    readManifest(APP.replace(/ {4}name: .*/, '    snapshots: false'), { variables: {} })
      .warnings.map(({ message }) => message)
      .join(),
    /app\.runtime\.name/,
  )
  assert.match(
    readManifest(APP.replace(/ {2}runtime:\n.*\n/, ''), { variables: {} })
      .warnings.map(({ message }) => message)
      .join(),
    /runtime/,
  )
})

test('a placeholder as id and keys that nobody knows are taken, with a warning', () => {
  const manifest = readManifest(`${APP.replace(/5f0c.*/, 'your-app-id')}surprise: 1\n`, { variables: {} })
  assert.match(manifest.appId, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
  assert.equal(readManifest(APP.replace(/5f0c.*/, 'your-app-id'), { variables: {} }).appId, manifest.appId)
  for (const id of ['""', '<app-id>', '[APP_ID]'])
    assert.equal(
      readManifest(APP.replace(/ari:.*/, `"${id.replaceAll('"', '')}"`), { variables: {} }).warnings.length,
      1,
      id,
    )
  // Those of Atlassian's own samples: nothing at all, for `forge register` to write.
  const bare = readManifest('modules: {}', { place: '/one' })
  assert.notEqual(readManifest('modules: {}', { place: '/two' }).appId, bare.appId)
  assert.equal(readManifest('modules: {}', { place: '/one' }).appId, bare.appId)
  assert.deepEqual(
    manifest.warnings.map(({ line, path }) => `${line} ${path}`),
    ['5 surprise', '2 app.id'],
  )
})

test('variables that are declared are filled in, others stay, and one without a value is told', () => {
  const body =
    'permissions:\n  external:\n    fetch:\n      backend: ["${HOST}", "${OTHER}"]\nenvironment:\n  variables:\n    - HOST\n'
  assert.deepEqual(read(body, { HOST: 'https://a.example.com' }).permissions.egress, [
    'https://a.example.com',
    '${OTHER}',
  ])
  assert.throws(() => read(body), /HOST/)
  assert.deepEqual(
    read(body.replace('- HOST', '- { key: HOST, default: b.example.com }')).permissions.egress[0],
    'b.example.com',
  )
})

test('added scopes, egress, remotes and dynamic web triggers make a version a major one', () => {
  const before = read('permissions:\n  scopes: [storage:app]\nmodules:\n  function: [{ key: f, handler: index.run }]\n')
  const kindOf = (body: string) => compareManifests(before, read(body)).kind
  assert.equal(
    kindOf('permissions:\n  scopes: [storage:app]\nmodules:\n  function: [{ key: g, handler: index.run }]\n'),
    'minor',
  )
  assert.equal(kindOf('permissions:\n  scopes: []\n'), 'minor')
  assert.equal(kindOf('permissions:\n  scopes: [storage:app, read:jira-work]\n'), 'major')
  assert.equal(
    kindOf('permissions:\n  scopes: [storage:app]\n  external:\n    fetch:\n      backend: [a.example.com]\n'),
    'major',
  )
  assert.equal(
    kindOf('modules:\n  function: [{ key: f, handler: index.run }]\n  webtrigger: [{ key: w, function: f }]\n'),
    'major',
  )
  assert.equal(kindOf('remotes: [{ key: r, baseUrl: "https://a.example.com" }]\n'), 'major')
})

test('a function has the lowest limit of what it serves', () => {
  const manifest = read(`modules:
  function:
    - { key: slow, handler: index.slow, timeoutSeconds: 900 }
    - { key: both, handler: index.both, timeoutSeconds: 900 }
    - { key: plain, handler: index.plain }
    - { key: quick, handler: index.quick, timeoutSeconds: 3 }
  scheduledTrigger:
    - { key: s, function: slow, interval: day }
    - { key: b, function: both, interval: day }
  webtrigger:
    - { key: w, function: both }
    - { key: q, function: quick }
`)
  assert.equal(timeoutOf(manifest, 'slow', 'scheduledTrigger'), 900_000)
  assert.equal(timeoutOf(manifest, 'both', 'scheduledTrigger'), 55_000)
  assert.equal(timeoutOf(manifest, 'plain', 'scheduledTrigger'), 55_000)
  assert.equal(timeoutOf(manifest, 'plain', 'resolver'), 25_000)
  assert.equal(timeoutOf(manifest, 'slow', 'resolver'), 25_000)
  assert.equal(timeoutOf(manifest, 'quick', 'webtrigger'), 3_000)
})
