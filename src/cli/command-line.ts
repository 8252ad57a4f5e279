/**
 * The command line. One file per command; this one only puts them together.
 * Exit codes: 0 done, 1 refused or failed (the code of the error is printed), 2 wrong usage.
 */

import { Command, CommanderError } from 'commander'
import { isPartywallError } from '../core/errors.ts'
import { addDatabasePrepare } from './db-prepare.ts'
import { addForgeDev } from './forge/dev.ts'
import { addForgeInvoke } from './forge/invoke.ts'
import { addForgeReport } from './forge/report.ts'
import { addKeysRotate } from './keys-rotate.ts'

export interface Output {
  out(text: string): void
  error(text: string): void
}

/** @returns the exit code */
export async function runCommandLine(arguments_: readonly string[], output: Output): Promise<number> {
  const program = new Command('partywall')
    .description('Multi-tenant apps with a wall between tenants')
    .exitOverride()
    .configureOutput({ writeOut: text => output.out(text), writeErr: text => output.error(text) })
  const database = program.command('db').description('the database').exitOverride()
  addDatabasePrepare(database, output)
  addKeysRotate(program.command('keys').description('key-encryption keys').exitOverride(), output)
  const forge = program.command('forge').description('Forge apps on this machine').exitOverride()
  addForgeDev(forge, output)
  addForgeInvoke(forge, output)
  addForgeReport(forge, output)
  try {
    await program.parseAsync([...arguments_], { from: 'user' })
    return 0
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    if (!isPartywallError(error)) throw error
    output.error(`${error.code}: ${error.message}\n${reasonOf(error.cause)}See ${error.docs}\n`)
    return 1
  }
}

const reasonOf = (cause: unknown): string => (cause instanceof Error ? `Reason: ${cause.message}\n` : '')
