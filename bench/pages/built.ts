/**
 * The sources as a user gets them: plain JavaScript without a loader. What the loader of the tests adds (a name for every
 * function, made again in each request) would cost a third of a request.
 */

import { execFile } from 'node:child_process'
import { cp, readFile, symlink, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import ts from 'typescript'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const COMPILER = join(ROOT, 'node_modules/typescript/bin/tsc')
const QUICKLY = ['--noCheck', '--declaration', 'false', '--sourceMap', 'false', '--inlineSources', 'false']

/**
 * Makes a package `partywall` in an empty folder, and puts servers beside it that import it by name.
 * @param servers  TypeScript files
 * @returns nothing; `server.ts` stands there as `server.js`
 */
export async function buildInto(folder: string, servers: readonly URL[]): Promise<void> {
  const project = ['-p', join(ROOT, 'tsconfig.build.json'), '--outDir', join(folder, 'dist')]
  await promisify(execFile)(process.execPath, [COMPILER, ...project, ...QUICKLY])
  await cp(join(ROOT, 'src/postgres/sql'), join(folder, 'dist/postgres/sql'), { recursive: true })
  await cp(join(ROOT, 'package.json'), join(folder, 'package.json'))
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023, verbatimModuleSyntax: true }
  for (const file of servers) {
    const source = await readFile(file, 'utf8')
    const { outputText } = ts.transpileModule(source, { compilerOptions })
    await writeFile(join(folder, `${basename(file.pathname, '.ts')}.js`), outputText)
  }
}
