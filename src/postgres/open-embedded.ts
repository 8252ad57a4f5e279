/** The embedded server as `openDatabase` uses it: started, prepared once, with the logins' passwords kept beside its data. */

import type { Logger } from '../core/ports.ts'
import { withLogin } from './database-url.ts'
import { startEmbedded } from './embedded/index.ts'
import { preparationFingerprint, prepareDatabase } from './prepare.ts'
import { type DatabaseUrls, LOGINS, type Login, newPassword, type Passwords, roleOf } from './roles.ts'

/** The embedded server, prepared as by `partywall db prepare`, with passwords kept beside its data. */
export async function openEmbedded(
  folder: string,
  logger: Logger | undefined,
): Promise<{ urls: DatabaseUrls; close(): Promise<void> }> {
  const server = await startEmbedded({ folder, logger: logger ?? SILENT })
  try {
    return { urls: await prepareEmbedded(server), close: () => server.close() }
  } catch (error) {
    await server.close()
    throw error
  }
}

export const adminUrlOf = (connection: {
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
  readonly password: string
}): string =>
  `postgres://${encodeURIComponent(connection.user)}:${encodeURIComponent(connection.password)}@localhost:${connection.port}` +
  `/${encodeURIComponent(connection.database)}?host=${encodeURIComponent(connection.host)}`

interface EmbeddedServer {
  readonly connection: Parameters<typeof adminUrlOf>[0]
  readonly credentials: {
    read(): Promise<Readonly<Record<string, string>>>
    write(values: Record<string, string>): Promise<void>
  }
}

/** Prepares once per state of this version's SQL; what is kept beside the data says whether that has been done. */
async function prepareEmbedded({ connection, credentials }: EmbeddedServer): Promise<DatabaseUrls> {
  const adminUrl = adminUrlOf(connection)
  const database = 'partywall'
  const fingerprint = await preparationFingerprint()
  const kept = await credentials.read()
  if (kept.prepared === fingerprint) {
    const of = (login: Login): string => withLogin(adminUrl, { user: roleOf(login), password: kept[login], database })
    return { app: of('app'), system: of('system'), jobs: of('jobs') }
  }
  const passwords = (): Promise<Passwords> => keptPasswords(credentials)
  const { urls } = await prepareDatabase({ adminUrl, database, passwords })
  await credentials.write({ ...(await credentials.read()), prepared: fingerprint })
  return urls
}

/** Written before they are set: whatever is interrupted, the file holds what the next start sets. */
async function keptPasswords(credentials: EmbeddedServer['credentials']): Promise<Passwords> {
  const kept = await credentials.read()
  const of = (login: Login): string => kept[login] ?? newPassword()
  const passwords = { app: of('app'), system: of('system'), jobs: of('jobs') }
  if (LOGINS.some(login => kept[login] === undefined)) await credentials.write({ ...kept, ...passwords })
  return passwords
}

const nothing = (): void => undefined
const SILENT: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing }
