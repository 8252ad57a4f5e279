// Builds the package: plain tsc, then the files tsc does not copy (numbered SQL).
import { execFileSync } from 'node:child_process'
import { cpSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
rmSync(`${root}dist`, { recursive: true, force: true })
execFileSync(process.execPath, [`${root}node_modules/typescript/bin/tsc`, '-p', `${root}tsconfig.build.json`], {
  stdio: 'inherit',
})
cpSync(`${root}src/postgres/sql`, `${root}dist/postgres/sql`, { recursive: true })
