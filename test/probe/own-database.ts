/**
 * Where DATABASE_URL is an administrator's URL and no other is given, the probe prepares a database of its own and says so:
 * one per DATA_DIR, so that a probe that is started again finds what it had. Three prepared URLs are used as they are.
 */

import { createHash, randomUUID } from 'node:crypto'
import { resolve } from 'node:path'
import type { DatabaseUrls } from '../../src/postgres/open.ts'
import { prepareDatabase } from '../../src/postgres/prepare.ts'
import { rolePasswords } from '../support/role-passwords.ts'

export async function prepareOwnDatabase(environment: NodeJS.ProcessEnv): Promise<DatabaseUrls | undefined> {
  const adminUrl = environment.DATABASE_URL
  if (!adminUrl || environment.DATABASE_SYSTEM_URL || environment.DATABASE_JOBS_URL) return undefined
  const database = environment.PROBE_DATABASE ?? `partywall_probe_${nameOf(environment.DATA_DIR)}`
  const { urls } = await prepareDatabase({ adminUrl, database, passwords: rolePasswords(adminUrl) })
  console.log(JSON.stringify({ event: 'probe-database-prepared', database }))
  return urls
}

const nameOf = (folder: string | undefined): string =>
  createHash('sha256')
    .update(folder === undefined ? randomUUID() : resolve(folder))
    .digest('hex')
    .slice(0, 12)
