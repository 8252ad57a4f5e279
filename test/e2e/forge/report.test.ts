// The isolation report: a leaky app is found by variable and file, a clean one is not accused; and the example that npm start shows.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Leak } from 'partywall'
import { withPackages } from '../../../examples/forge-packages.ts'
import { forgePackages, writeForgeApp } from '../../support/forge-packages.ts'
import { createForgeWorld, manifestOf } from '../../support/forge-world.ts'

// The examples' own packages come the same way.
const { folder: packages, skip } = await forgePackages('8.3')
const lineOf = ({ kind, name, at, source }: Leak): string => `${kind} ${name}${at} ${source ?? ''}`.trim()

test(
  'the leaky example: each place is named, with its file, under shared processes and nowhere under its own',
  skip,
  async t => {
    const { forge } = await createForgeWorld(t)
    const app = await forge({ folder: await withPackages('leaky') })
    const report = await app.report([{ invoke: 'remember', payload: { text: '{{tenant}}' } }])
    assert.deepEqual(report.shared.leaks.map(lineOf).sort(), [
      'answer invoke remember',
      'file /tmp/last-note.txt',
      'global lastText',
      'variable cache.get("settings").firstText src/settings.js:2',
      'variable lastUser src/index.js:16',
      'variable recent[] src/index.js:8',
    ])
    assert.deepEqual(report.installation.leaks, [])
    assert.deepEqual([...report.shared.failures, ...report.installation.failures], [])
    // The report's own installations are gone, and those of the app were never touched.
    assert.deepEqual(await app.installations(), [])
  },
)

test('the notes example keeps nothing: pages, web trigger, schedule and event', skip, async t => {
  const { forge } = await createForgeWorld(t)
  const app = await forge({ folder: await withPackages('notes') })
  for (const calls of [undefined, [{ invoke: 'add', payload: { text: '{{tenant}}' } }, { invoke: 'all' }]]) {
    const report = await app.report(calls)
    assert.deepEqual([report.shared.leaks, report.installation.leaks], [[], []])
    assert.deepEqual(report.shared.failures, [])
  }
})

test('a cache that ends up in somebody’s storage is found there, and calls that fail are said', skip, async t => {
  const { forge } = await createForgeWorld(t)
  const folder = await writeForgeApp(packages, {
    'manifest.yml': manifestOf(`modules:
  function:
    - key: keep
      handler: keep.run
permissions:
  scopes: [storage:app]
`),
    'src/keep.ts': `import { kvs } from '@forge/kvs'
      let first: string | undefined
      export const run = async ({ text }: { text: string }) => {
        first ??= text
        await kvs.set('first', first)
        if (text === 'broken') throw new Error('broken')
      }`,
  })
  const app = await forge({ folder })
  const report = await app.report([
    { function: 'keep', payload: { text: '{{tenant}}' } },
    { function: 'keep', payload: { text: 'broken' } },
  ])
  assert.deepEqual(report.shared.leaks.map(lineOf).sort(), ['stored value kvs first', 'variable first src/keep.ts:4'])
  assert.deepEqual(report.installation.leaks, [])
  assert.match(report.shared.failures.join(), /function keep: ERR_FORGE_FUNCTION .*broken/)
})
