// Who may import whom (docs/decisions/0000-house.md): checks every import of src against the table below, and that no
// two files import each other's values in a circle.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const root = fileURLToPath(new URL('../src/', import.meta.url))

interface Rule {
  /** Folders whose values may be imported. */
  readonly values: readonly string[]
  /** Folders of which only types may be imported. */
  readonly types?: readonly string[]
}
const RULES: Readonly<Record<string, Rule>> = {
  core: { values: [] },
  wire: { values: ['core/errors'] },
  'dialects/common': { values: ['core', 'wire'], types: ['http'] },
  'dialects/hipchat': { values: ['core', 'wire', 'dialects/common'], types: ['http'] },
  'dialects/connect': { values: ['core', 'wire', 'dialects/common'], types: ['http'] },
  postgres: { values: ['core'] },
  jobs: { values: ['core', 'postgres'] },
  http: { values: ['core'] },
  sandbox: { values: ['core'] },
  forge: { values: ['core', 'wire', 'http', 'postgres', 'jobs', 'sandbox', 'dialects/common'] },
  adapters: { values: ['http', 'core/errors'], types: ['core'] },
  host: { values: ['wire'], types: ['core'] },
  testing: { values: ['index', 'host', 'core/errors'], types: ['core', 'postgres', 'http'] },
  cli: { values: ['index', 'postgres', 'core', 'host'] },
  configuration: { values: ['core', 'http', 'jobs', 'postgres'], types: ['sandbox'] },
  hipchat: { values: ['dialects/hipchat', 'dialects/common'] },
  connect: { values: ['dialects/connect', 'dialects/common'] },
  'app-types': {
    values: [],
    types: ['adapters', 'core', 'dialects/connect', 'dialects/hipchat', 'forge', 'http', 'jobs', 'postgres'],
  },
  // The composition root and the public entry see everything.
  app: { values: ['*'] },
  index: { values: ['*'] },
}

interface Import {
  readonly from: string
  readonly to: string
  readonly line: number
  readonly typeOnly: boolean
}

const files = listFiles(root).filter(file => file.endsWith('.ts'))
const imports = files.flatMap(readImports)

test('every import in src goes in an allowed direction', () => {
  const wrong = imports.filter(found => !isAllowed(found))
  assert.deepEqual(
    wrong.map(({ from, line, to, typeOnly }) => {
      const rule = RULES[folderOf(from)]
      return `${from}:${line} imports ${typeOnly ? 'types of' : ''} ${to}; ${folderOf(from)} may import ${JSON.stringify(rule)}`
    }),
    [],
  )
})

test('no two files of src import each other’s values in a circle', () => {
  const edges = new Map<string, string[]>()
  for (const found of imports) if (!found.typeOnly) edges.set(found.from, [...(edges.get(found.from) ?? []), found.to])
  assert.deepEqual(findCircle(edges), [])
})

function isAllowed({ from, to, typeOnly }: Import): boolean {
  const own = folderOf(from)
  const rule = RULES[own]
  assert.ok(rule, `${from}: no rule for the folder ${own}`)
  if (folderOf(to) === own) return true
  const matches = (allowed: readonly string[]) =>
    allowed.some(name => name === '*' || to === `${name}.ts` || to.startsWith(`${name}/`))
  return matches(rule.values) || (typeOnly && matches(rule.types ?? []))
}

function folderOf(file: string): string {
  const [first = '', second = ''] = file.split('/')
  if (first === 'dialects') return `dialects/${second}`
  return first.endsWith('.ts') ? first.slice(0, -3) : first
}

function readImports(file: string): Import[] {
  const source = ts.createSourceFile(file, readFileSync(path.join(root, file), 'utf8'), ts.ScriptTarget.Latest, false)
  const found: Import[] = []
  const add = (specifier: ts.Expression | undefined, typeOnly: boolean) => {
    if (!specifier || !ts.isStringLiteral(specifier) || !specifier.text.startsWith('.')) return
    const line = source.getLineAndCharacterOfPosition(specifier.pos).line + 1
    found.push({ from: file, to: path.posix.join(path.posix.dirname(file), specifier.text), line, typeOnly })
  }
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      const clause = node.importClause
      const bindings = clause?.namedBindings
      const allTypes =
        bindings && ts.isNamedImports(bindings) && !clause?.name && bindings.elements.every(one => one.isTypeOnly)
      add(node.moduleSpecifier, clause?.phaseModifier === ts.SyntaxKind.TypeKeyword || allTypes === true)
    } else if (ts.isExportDeclaration(node)) {
      add(node.moduleSpecifier, node.isTypeOnly)
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node.arguments[0], false)
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

function findCircle(edges: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>()
  const visit = (node: string, trail: readonly string[]): string[] => {
    if (trail.includes(node)) return [...trail.slice(trail.indexOf(node)), node]
    if (done.has(node)) return []
    done.add(node)
    for (const next of edges.get(node) ?? []) {
      const circle = visit(next, [...trail, node])
      if (circle.length > 0) return circle
    }
    return []
  }
  for (const node of edges.keys()) {
    const circle = visit(node, [])
    if (circle.length > 0) return circle
  }
  return []
}

function listFiles(folder: string, prefix = ''): string[] {
  return readdirSync(folder).flatMap(name =>
    statSync(path.join(folder, name)).isDirectory()
      ? listFiles(path.join(folder, name), `${prefix}${name}/`)
      : [`${prefix}${name}`],
  )
}
