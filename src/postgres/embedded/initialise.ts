/** Makes a new data folder beside the final one and renames it: killed at any time, there is a whole one or none. */

import { chown, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { PartywallError } from '../../core/errors.ts'
import { type Binaries, programName } from './binaries.ts'
import { ensureSuperuserPassword, SUPERUSER } from './credentials.ts'
import { hasCode, readIfPresent, syncFolder } from './files.ts'
import type { Home } from './home.ts'
import { type RunAs, runProgram } from './run-as.ts'

/** True when there are data and their major version is that of the programs; false when there are none yet. */
export async function hasData(data: string, binaries: Binaries): Promise<boolean> {
  const pinned = await readIfPresent(join(data, 'PG_VERSION'))
  if (pinned === undefined) return refuseForeign(data)
  const major = Number.parseInt(pinned, 10)
  if (major === binaries.major) return true
  throw new PartywallError('ERR_EMBEDDED_MAJOR', {
    message: `The data in ${data} were made by PostgreSQL ${major}, the programs are ${binaries.version}. Set PARTYWALL_PG_BIN to the programs of version ${major}, or export with them, move the folder away and import.`,
    details: { dataMajor: major, programMajor: binaries.major },
  })
}

/** @throws ERR_EMBEDDED_UNAVAILABLE with what `initdb` said */
export async function initialise(home: Home, data: string, binaries: Binaries, runAs: RunAs): Promise<void> {
  const password = await ensureSuperuserPassword(home)
  const beside = `${data}.new`
  const secret = `${beside}.password`
  await rm(beside, { recursive: true, force: true })
  await mkdir(beside, { recursive: true, mode: 0o700 })
  await writeFile(secret, password, { mode: 0o600 })
  if (runAs.kind === 'account') {
    await chown(beside, runAs.uid, runAs.gid)
    await chown(secret, runAs.uid, runAs.gid)
  }
  try {
    await runInitdb(beside, secret, binaries, runAs)
  } finally {
    await rm(secret, { force: true })
  }
  await rename(beside, data)
  await syncFolder(dirname(data))
}

async function runInitdb(folder: string, secret: string, binaries: Binaries, runAs: RunAs): Promise<void> {
  const outcome = await runProgram(runAs, {
    file: join(binaries.bin, programName('initdb')),
    arguments: [
      `--pgdata=${folder}`,
      `--username=${SUPERUSER}`,
      `--pwfile=${secret}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--no-locale',
      '--no-instructions',
    ],
    folder,
    environment: binaries.environment,
  })
  if (outcome.status === 0) return
  throw new PartywallError('ERR_EMBEDDED_UNAVAILABLE', {
    message: `The database could not be made (${outcome.status}): ${outcome.output.slice(-600)}`,
  })
}

/** We never leave a half-made `data`: whatever stands there without a version is not ours to overwrite. */
async function refuseForeign(data: string): Promise<false> {
  try {
    if ((await readdir(data)).length === 0) return false
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false
    throw error
  }
  throw new PartywallError('ERR_EMBEDDED_UNAVAILABLE', {
    message: `${data} holds files but no PostgreSQL data: move them away.`,
  })
}
