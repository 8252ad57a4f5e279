import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { searchState } from '../../../../src/forge/report/search-state.ts'

const folder = mkdtempSync(path.join(os.tmpdir(), 'partywall-state-'))
test.after(() => rmSync(folder, { recursive: true }))
const search = (roots: readonly unknown[], ...markers: string[]) => searchState(roots, markers, folder, () => false)

function createModule() {
  const recent: string[] = []
  const cache = new Map<string, { text: string }>()
  let last: string | undefined
  const inner = (text: string) => {
    last = text
  }
  return {
    handler(text: string) {
      recent.push(text)
      cache.set('newest', { text })
      inner(text)
      return [recent.length, last]
    },
    quiet: () => 1,
  }
}

test('variables of a module are found through the functions that use them, with the place inside', () => {
  const module = createModule()
  module.handler('of tenant A')
  assert.deepEqual(
    search([module], 'tenant A')
      .map(({ kind, name, at }) => `${kind} ${name}${at}`)
      .sort(),
    ['variable cache.get("newest").text', 'variable last', 'variable recent[0]'],
  )
  assert.deepEqual(search([module], 'tenant B'), [])
})

test('a getter is not run, and a circle ends', () => {
  let runs = 0
  const state: Record<string, unknown> = {
    get secret() {
      runs += 1
      return 'tenant A'
    },
  }
  state.self = state
  const handler = () => state
  assert.deepEqual(search([handler], 'tenant A'), [])
  assert.equal(runs, 0)
})

test('globals, the environment and files are looked at too', t => {
  Object.assign(globalThis, { leftBehind: { deep: ['tenant A'] } })
  process.env.LEFT_BEHIND = 'by tenant A'
  mkdirSync(path.join(folder, 'below'))
  writeFileSync(path.join(folder, 'below', 'note.txt'), 'tenant A was here')
  t.after(() => {
    Reflect.deleteProperty(globalThis, 'leftBehind')
    delete process.env.LEFT_BEHIND
  })
  assert.deepEqual(
    search([], 'tenant A').map(({ kind, name, at }) => `${kind} ${name}${at}`),
    ['global leftBehind.deep[0]', 'environment LEFT_BEHIND', `file ${path.join(folder, 'below', 'note.txt')}`],
  )
})
