/**
 * Where DATABASE_URL is an administrator's URL and no other is given, the probe prepares a fresh database of its own and
 * says so. Three prepared URLs are used as they are.
 */

import { randomBytes } from 'node:crypto'
import type { DatabaseUrls } from '../../src/postgres/open.ts'
import { prepareDatabase } from '../../src/postgres/prepare.ts'

export async function prepareFreshDatabase(environment: NodeJS.ProcessEnv): Promise<DatabaseUrls | undefined> {
  const adminUrl = environment.DATABASE_URL
  if (!adminUrl || environment.DATABASE_SYSTEM_URL || environment.DATABASE_JOBS_URL) return undefined
  const database = environment.PROBE_DATABASE ?? `partywall_probe_${randomBytes(4).toString('hex')}`
  const { urls } = await prepareDatabase({ adminUrl, database })
  console.log(JSON.stringify({ event: 'probe-database-prepared', database }))
  return urls
}
