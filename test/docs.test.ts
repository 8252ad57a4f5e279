// The documents and the code say the same: error codes, security statements, links, README length.
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ERRORS } from '../src/core/errors.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (file: string) => readFileSync(path.join(root, file), 'utf8')

test('every error code has a section in the reference, and every section a code', () => {
  const sections = [
    ...read('docs/reference/errors.md').matchAll(/^## (ERR_[A-Z0-9_]+)\r?\n+HTTP (\d+) · fault: (\w+)/gm),
  ]
  const documented = Object.fromEntries(sections.map(([, code, status, fault]) => [code, `${status} ${fault}`]))
  const registered = Object.fromEntries(
    Object.entries(ERRORS).map(([code, one]) => [code, `${one.status} ${one.fault}`]),
  )
  assert.deepEqual(documented, registered)
})

test('every security statement of this part names a test that exists', () => {
  const rows = [...read('docs/reference/security.md').matchAll(/^\| ([A-H]) (\d+) \|[^|]*\| `([^`]+)`/gm)]
  assert.ok(rows.length >= 60, `only ${rows.length} rows`)
  const missing = rows.filter(([, letter, number, file]) => {
    return !existsSync(path.join(root, file ?? '')) || !new RegExp(`\\b${letter} ${number}\\b`).test(read(file ?? ''))
  })
  assert.deepEqual(
    missing.map(([row]) => row),
    [],
  )
})

test('links between documents lead somewhere', () => {
  const documents = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', ...markdownBelow('docs')]
  const broken = documents.flatMap(file =>
    [...read(file).matchAll(/\]\((?!https?:)([^)#\s]+)[^)]*\)/g)]
      .map(([, target]) => path.posix.join(path.posix.dirname(file), target ?? ''))
      .filter(target => !existsSync(path.join(root, target)))
      .map(target => `${file} -> ${target}`),
  )
  assert.deepEqual(broken, [])
})

test('the README is at most 120 lines', () => {
  assert.ok(read('README.md').split('\n').length <= 121)
})

function markdownBelow(folder: string): string[] {
  return readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap(entry => {
    const name = `${folder}/${entry.name}`
    return entry.isDirectory() ? markdownBelow(name) : name.endsWith('.md') ? [name] : []
  })
}
