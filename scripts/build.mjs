// Builds the package: plain tsc, then the files tsc does not copy (numbered SQL, what pages of the simulated host load).
import { execFileSync } from 'node:child_process'
import { cpSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
rmSync(`${root}dist`, { recursive: true, force: true })
execFileSync(process.execPath, [`${root}node_modules/typescript/bin/tsc`, '-p', `${root}tsconfig.build.json`], {
  stdio: 'inherit',
})
for (const folder of ['postgres/sql', 'host/page', 'host/connect/page']) {
  cpSync(`${root}src/${folder}`, `${root}dist/${folder}`, { recursive: true })
}
