/**
 * Where things lie below the app's data folder, and the record of what had to lie elsewhere.
 *
 *   <folder>/postgres/            0700
 *     keeper.lock                 held by the keeper's life
 *     place.json                  where data and sockets are
 *     data/                       PostgreSQL's own; its PG_VERSION pins the major version
 *     run/                        sockets: keeper.sock, .s.PGSQL.5432
 *     superuser, credentials.json passwords, 0600
 *     keeper.log, postgres.log
 */

import { chmod, mkdir, realpath } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { PartywallError } from '../../core/errors.ts'
import { readIfPresent, writeDurably } from './files.ts'

export interface Home {
  readonly folder: string
  readonly root: string
  readonly lock: string
  readonly place: string
  readonly data: string
  readonly run: string
  readonly superuser: string
  readonly credentials: string
  readonly keeperLog: string
  readonly serverLog: string
}

export interface Place {
  readonly data: string
  readonly sockets: string
  /** Loopback port on Windows, elsewhere only the number in the socket's name. */
  readonly port: number
}

/** What place.json says; `null` is the usual place below the folder, so that a folder can be renamed and copied. */
interface PlaceRecord {
  readonly data: string | null
  readonly sockets: string | null
  readonly port: number
}

/** Makes the folder if need be and resolves it, so that two spellings of one folder meet in one place. */
export async function openHome(folder: string): Promise<Home> {
  const root = join(resolve(folder), 'postgres')
  await mkdir(root, { recursive: true, mode: 0o700 })
  return homeOf(await realpath(resolve(folder)))
}

export function homeOf(folder: string): Home {
  const root = join(folder, 'postgres')
  return {
    folder,
    root,
    lock: join(root, 'keeper.lock'),
    place: join(root, 'place.json'),
    data: join(root, 'data'),
    run: join(root, 'run'),
    superuser: join(root, 'superuser'),
    credentials: join(root, 'credentials.json'),
    keeperLog: join(root, 'keeper.log'),
    serverLog: join(root, 'postgres.log'),
  }
}

/**
 * Written by the keeper under its lock, read by everyone; `undefined` before the first start.
 *
 * @throws ERR_EMBEDDED_UNAVAILABLE when the record has been edited into something else
 */
export async function readPlace(home: Home): Promise<Place | undefined> {
  const text = await readIfPresent(home.place)
  if (text === undefined) return undefined
  const record = parse(text)
  if (record !== undefined) {
    return { data: record.data ?? home.data, sockets: record.sockets ?? home.run, port: record.port }
  }
  throw new PartywallError('ERR_EMBEDDED_UNAVAILABLE', {
    message: `${home.place} is damaged: it must hold {"data": folder or null, "sockets": folder or null, "port": number}.`,
  })
}

export function writePlace(home: Home, place: Place): Promise<void> {
  const record: PlaceRecord = {
    data: place.data === home.data ? null : place.data,
    sockets: place.sockets === home.run ? null : place.sockets,
    port: place.port,
  }
  return writeDurably(home.place, JSON.stringify(record))
}

/** Where the keeper of this place listens. */
export const keeperAddress = (place: Place): string =>
  process.platform === 'win32' ? `\\\\.\\pipe\\partywall-${place.port}` : join(place.sockets, 'keeper.sock')

/** A folder nobody else may enter, whatever it was before. */
export async function makePrivate(folder: string, mode = 0o700): Promise<void> {
  await mkdir(folder, { recursive: true, mode })
  await chmod(folder, mode)
}

function parse(text: string): PlaceRecord | undefined {
  try {
    const { data, sockets, port } = JSON.parse(text)
    const isPath = (value: unknown) => value === null || typeof value === 'string'
    return isPath(data) && isPath(sockets) && Number.isInteger(port) ? { data, sockets, port } : undefined
  } catch {
    return undefined
  }
}
