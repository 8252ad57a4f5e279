/** `partywall db prepare`: makes the three logins, the schema and its wall, and prints the URLs the app needs. */

import type { Command } from 'commander'
import type { Output } from './command-line.ts'

interface PrepareFlags {
  readonly adminUrl: string
  readonly database?: string
  readonly migrations?: string
  readonly schema?: string
  readonly renewPasswords?: boolean
  readonly json?: boolean
}

export function addDatabasePrepare(parent: Command, output: Output): void {
  parent
    .command('prepare')
    .description('prepare or upgrade a PostgreSQL database (15 or newer)')
    .requiredOption('--admin-url <url>', "an administrator's URL: postgres://admin:password@host:5432/database")
    .option('--database <name>', 'prepare this database of the server, and create it when missing')
    .option('--migrations <folder>', 'then apply the app’s own numbered migrations')
    .option('--schema <name>', 'schema of the app’s own tables (default: app)')
    .option('--renew-passwords', 'give all three logins new passwords')
    .option('--json', 'print data only')
    .action((flags: PrepareFlags) => prepare(flags, output))
}

async function prepare(flags: PrepareFlags, output: Output): Promise<void> {
  // Loaded here, so that other commands start without a database driver.
  const { migrateApp, prepareDatabase, withDatabase } = await import('../postgres/administration.ts')
  const { adminUrl, database, renewPasswords = false } = flags
  const prepared = await prepareDatabase({ adminUrl, renewPasswords, ...(database === undefined ? {} : { database }) })
  const appMigrated =
    flags.migrations === undefined
      ? 0
      : await migrateApp({
          adminUrl: database === undefined ? adminUrl : withDatabase(adminUrl, database),
          folder: flags.migrations,
          ...(flags.schema === undefined ? {} : { schema: flags.schema }),
        })
  if (flags.json === true) {
    output.out(`${JSON.stringify({ ...prepared, appMigrated })}\n`)
    return
  }
  for (const warning of prepared.warnings) output.error(`Warning: ${warning}\n`)
  output.out(
    [
      `Prepared: ${prepared.migrated} migrations of Partywall, ${appMigrated} of the app.`,
      '',
      `DATABASE_URL=${prepared.urls.app}`,
      `DATABASE_SYSTEM_URL=${prepared.urls.system}`,
      `DATABASE_JOBS_URL=${prepared.urls.jobs}`,
      '',
      prepared.keptPasswords.length > 0
        ? 'Logins that were there kept their passwords, which are not known here: put them into the URLs, or run again with --renew-passwords.'
        : 'Next: put these three lines into the environment of the app and start it. The passwords are shown only now.',
      '',
    ].join('\n'),
  )
}
