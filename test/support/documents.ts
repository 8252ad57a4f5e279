/** Documents as tests read them: tables, code of guides by file name, and what sources declare. */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

export const root = fileURLToPath(new URL('../..', import.meta.url))
export const read = (file: string): string => readFileSync(path.join(root, file), 'utf8')
export const exists = (file: string): boolean => existsSync(path.join(root, file))

/** Files below a folder of the repository whose name ends in `ending`, by path from its root. */
export function filesBelow(folder: string, ending: string): string[] {
  return readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap(entry => {
    const name = `${folder}/${entry.name}`
    if (entry.isDirectory()) return filesBelow(name, ending)
    return name.endsWith(ending) ? [name] : []
  })
}

/** Cells of every table row that begins with code: `` | `name` | ... | ``. */
export function codeRows(text: string): (readonly string[])[] {
  return text
    .split('\n')
    .filter(line => /^\| `/.test(line))
    .map(line =>
      line
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map(cell => cell.trim()),
    )
}

/** Texts between back ticks. */
export const codeSpans = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(match => match[1] ?? '')

/** Titles of the tests and cases of a file. */
export const titlesOf = (file: string): string[] =>
  [...read(file).matchAll(/(?:\btest(?:\.\w+)?\(\s*|\b(?:name|title):\s*)(['"`])((?:\\.|(?!\1).)*)\1/gs)].map(
    match => match[2] ?? '',
  )

/** Guides whose code is run and typed by the tests. */
export const GUIDES = [
  'getting-started',
  'frameworks',
  'storage',
  'deliveries-and-jobs',
  'your-own-tables',
  'operating',
  'importing-old-data',
  'from-ac-koa-hipchat',
]

/** Code blocks of the guides that name their file in the first line: `// addon.ts`, `-- migrations/000001_notes.sql`. */
export function guideFiles(guide: string): ReadonlyMap<string, string> {
  const blocks = read(`docs/guide/${guide}.md`).matchAll(/```(?:ts|sql)\n((?:\/\/|--) (\S+)\n.*?)```/gs)
  return new Map([...blocks].map(([, code = '', name = '']) => [name, code]))
}

/** Every name that an entry file exports, types included. */
export function exportedNames(file: string): string[] {
  const names: string[] = []
  for (const statement of parse(file).statements) {
    if (ts.isExportDeclaration(statement)) {
      const clause = statement.exportClause
      if (clause === undefined || !ts.isNamedExports(clause)) throw new TypeError(`${file}: only named exports`)
      names.push(...clause.elements.map(element => element.name.text))
    } else if (ts.canHaveModifiers(statement) && isExported(statement)) names.push(...declaredNames(statement))
  }
  return names.sort()
}

/** Members of an interface; those of a nested type literal as `outer.inner`. */
export function memberNames(file: string, interfaceName: string): string[] {
  const found = parse(file).statements.find(
    statement => ts.isInterfaceDeclaration(statement) && statement.name.text === interfaceName,
  )
  if (found === undefined) throw new TypeError(`${file} has no interface ${interfaceName}`)
  return namesOf((found as ts.InterfaceDeclaration).members)
}

function namesOf(members: ts.NodeArray<ts.TypeElement>): string[] {
  return members.flatMap(member => {
    const name = member.name?.getText() ?? ''
    const type = ts.isPropertySignature(member) ? member.type : undefined
    return type !== undefined && ts.isTypeLiteralNode(type) && name === 'retention'
      ? namesOf(type.members).map(inner => `${name}.${inner}`)
      : [name]
  })
}

const parse = (file: string): ts.SourceFile => ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest, true)

const isExported = (node: ts.HasModifiers): boolean =>
  ts.getModifiers(node)?.some(modifier => modifier.kind === ts.SyntaxKind.ExportKeyword) === true

function declaredNames(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.map(declaration => declaration.name.getText())
  }
  const { name } = statement as ts.Statement & { readonly name?: ts.Identifier }
  return name === undefined ? [] : [name.text]
}
