// The documents and the code say the same: error codes, security statements, links, README length.
import assert from 'node:assert/strict'
import path from 'node:path'
import { test } from 'node:test'
import { ERRORS } from '../src/core/errors.ts'
import { codeSpans, exists, filesBelow, read, titlesOf } from './support/documents.ts'

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

test('every security statement of this part names tests that carry its number in a title', () => {
  const rows = [...read('docs/reference/security.md').matchAll(/^\| ([A-H]) (\d+) \|[^|]+\| (`.+`) \|$/gm)]
  assert.ok(rows.length >= 60, `only ${rows.length} rows`)
  const numbers = rows.map(([, letter, number]) => `${letter} ${number}`)
  assert.equal(new Set(numbers).size, rows.length)
  const missing = rows.flatMap(([, letter, number, files = '']) =>
    codeSpans(files)
      .filter(file => !exists(file) || !titlesOf(file).some(title => numbersOf(title).includes(`${letter} ${number}`)))
      .map(file => `${letter} ${number}: ${file}`),
  )
  assert.deepEqual(missing, [])
})

test('links between documents lead somewhere', () => {
  const documents = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', ...filesBelow('docs', '.md')]
  const broken = documents.flatMap(file =>
    [...read(file).matchAll(/\]\((?!https?:)([^)#\s]+)[^)]*\)/g)]
      .map(([, target]) => path.posix.join(path.posix.dirname(file), target ?? ''))
      .filter(target => !exists(target))
      .map(target => `${file} -> ${target}`),
  )
  assert.deepEqual(broken, [])
})

test('the add-on of the README stands in the example, word for word', () => {
  const [, code = ''] = /From \[examples\/greeter.ts\].*?```ts\n(.*?)```/s.exec(read('README.md')) ?? []
  assert.ok(code.includes('ctx.tenantStore'))
  const indented = code.replace(/^(?=.)/gm, '  ')
  assert.ok(read('examples/greeter.ts').includes(indented), 'README.md and examples/greeter.ts differ')
})

const PORTS = {
  'from-ac-koa-hipchat': ['porting/manifest.json', 'porting/before.cjs', 'porting/after.ts'],
  'from-atlassian-connect-express': ['atlassian-connect.json', 'config.json', 'before.cjs', 'after.ts'].map(
    file => `porting-ace/${file}`,
  ),
}
test('the apps of the porting guides, before and after, stand in the examples, word for word', () => {
  for (const [page, files] of Object.entries(PORTS))
    for (const file of files) {
      const guide = read(`docs/guide/${page}.md`)
      const name = `examples/${file}`
      const [, code] = new RegExp(`\\[${name}\\].*?\`\`\`\\w+\\n(.*?)\`\`\``, 's').exec(guide) ?? []
      assert.equal(code, read(name), name)
    }
})

test('what the README quotes of npm start is what the scenario attempts', () => {
  const quoted = [...read('README.md').matchAll(/^ {2}\d{3} ERR_\w+ +(.*)$/gm)].map(match => match[1] ?? '')
  assert.ok(quoted.length > 0)
  const scenarios = read('examples/scenario.ts') + read('examples/connect-scenario.ts')
  for (const attempt of quoted) assert.ok(scenarios.includes(`'${attempt}'`), attempt)
})

test('the README is at most 120 lines', () => {
  assert.ok(read('README.md').split('\n').length <= 121)
})

function numbersOf(title: string): string[] {
  const [head = ''] = /^[A-H] \d+(?:(?:,| and) (?:[A-H] )?\d+)*(?=:)/.exec(title) ?? []
  let letter = ''
  return [...head.matchAll(/(?:([A-H]) )?(\d+)/g)].map(([, own, number]) => {
    letter = own ?? letter
    return `${letter} ${number}`
  })
}
