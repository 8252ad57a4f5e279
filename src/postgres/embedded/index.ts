/**
 * The embedded database: a real PostgreSQL in the app's data folder, shared by all processes that use this folder.
 *
 * The server runs under a small keeper process (`keeper.ts`); killed at any moment, all of it repairs itself at the next start.
 */

import { PartywallError } from '../../core/errors.ts'
import type { Logger } from '../../core/ports.ts'
import { locateBinaries } from './binaries.ts'
import { type Credentials, createCredentials, readSuperuserPassword, SUPERUSER } from './credentials.ts'
import { holdServer } from './hold-server.ts'
import { type Home, openHome } from './home.ts'

export interface EmbeddedOptions {
  /** The app's data folder; the database lives in `postgres` below it. Made when missing. */
  readonly folder: string
  readonly logger: Logger
  /**
   * How long the server outlives the last process that ended without `close`, milliseconds; default 30,000.
   * The process that starts the server decides.
   */
  readonly graceMs?: number
}

export interface EmbeddedDatabase {
  /** The superuser's way in, over a private socket: for preparing roles and schema, never for the app's work. */
  readonly connection: {
    /** Folder of the socket; on Windows the loopback address. */
    readonly host: string
    readonly port: number
    readonly database: string
    readonly user: string
    readonly password: string
  }
  /** Passwords of the roles made while preparing, kept in a file of mode 0600. */
  readonly credentials: Credentials
  /** As PostgreSQL says it: `18.4`. */
  readonly version: string
  /** Lets go of the server. The last process to do so stops it, and waits for that. Safe to call twice. */
  close(): Promise<void>
}

/**
 * Starts the database of a folder, or joins the processes that use it already.
 *
 * While it is held, a killed server or keeper is started again at the same address.
 *
 * @throws ERR_EMBEDDED_UNAVAILABLE no programs for this platform, or they cannot run here; the message says what to do
 * @throws ERR_EMBEDDED_MAJOR the data were made by another major version
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedDatabase> {
  const { folder, logger, graceMs = 30_000 } = options
  if (!Number.isSafeInteger(graceMs) || graceMs < 0) throw new TypeError('graceMs: whole milliseconds, 0 or more')
  const located = await locateBinaries()
  const home = await openFolder(folder)
  const held = await holdServer(home, { folder: home.folder, ...located, graceMs }, logger)
  const { host, port, version } = held.ready
  const password = await readSuperuserPassword(home).catch(async error => {
    await held.close()
    throw error
  })
  logger.info('embedded.ready', { version, folder: home.root })
  return {
    connection: { host, port, database: 'postgres', user: SUPERUSER, password },
    credentials: createCredentials(home),
    version,
    close: held.close,
  }
}

async function openFolder(folder: string): Promise<Home> {
  try {
    return await openHome(folder)
  } catch (cause) {
    throw new PartywallError('ERR_EMBEDDED_UNAVAILABLE', {
      message: `The data folder ${folder} cannot be made or entered: give the app a folder it may write to.`,
      cause,
    })
  }
}
