/**
 * Settles, under the keeper's lock, where data and sockets lie: in the app's folder wherever that is possible.
 *
 * Sockets leave it when their path is too long for the kernel. Data leave it when another account must run PostgreSQL and
 * cannot enter the folder. What was settled once is recorded and kept: data never seem lost because a condition changed.
 */

import { createHash } from 'node:crypto'
import { chown, lstat, mkdtemp, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { PartywallError } from '../../core/errors.ts'
import { chownTree } from './binaries.ts'
import { hasCode, readIfPresent, writeDurably } from './files.ts'
import { type Home, makePrivate, type Place, readPlace, writePlace } from './home.ts'
import type { RunAs } from './run-as.ts'

/** Bytes a socket's path may have on every system we know (Linux 107, macOS 103). */
const MAX_SOCKET_PATH = 103
const ELSEWHERE = '/var/lib/partywall'
/** A file beside what lies outside the folder: whose it is. */
const MARK = 'folder'

export interface Settled {
  readonly place: Place
  readonly runAs: RunAs
}

/**
 * @param preferred  how the programs would run best; data that an account owns already stay with it
 * @throws ERR_EMBEDDED_UNAVAILABLE recorded data are gone or belong to another folder; an account cannot reach them
 */
export async function settlePlace(home: Home, preferred: RunAs): Promise<Settled> {
  const recorded = await readPlace(home)
  const data = recorded?.data ?? (await chooseData(home, preferred))
  await checkOwner(home, data, recorded !== undefined)
  const runAs = await keepAccount(data, preferred)
  if (runAs.kind === 'account') await openToAccount(home, data, runAs)
  const sockets = await chooseSockets(home, recorded, data, runAs)
  if (runAs.kind === 'account') await chown(sockets, runAs.uid, runAs.gid)
  const place: Place = { data, sockets, port: recorded?.port ?? (await choosePort()) }
  if (JSON.stringify(place) !== JSON.stringify(recorded)) await writePlace(home, place)
  return { place, runAs }
}

/** Moves the sockets out of the folder: for a file system that has no sockets. */
export async function moveSockets(home: Home, place: Place, runAs: RunAs): Promise<Place> {
  const moved = { ...place, sockets: await shortFolder(home) }
  if (runAs.kind === 'account') await chown(moved.sockets, runAs.uid, runAs.gid)
  await writePlace(home, moved)
  return moved
}

async function chooseData(home: Home, runAs: RunAs): Promise<string> {
  if (runAs.kind !== 'account' || (await canEnter(home.folder))) return home.data
  const name = createHash('sha256').update(home.folder).digest('hex').slice(0, 16)
  return join(ELSEWHERE, name, 'data')
}

/** A copied folder must not share the data of its original, and an emptied /var/lib must not look like a fresh start. */
async function checkOwner(home: Home, data: string, isRecorded: boolean): Promise<void> {
  if (data === home.data) return
  const mark = join(dirname(data), MARK)
  const owner = await readIfPresent(mark)
  if (owner === home.folder) return
  if (owner === undefined && !isRecorded) {
    await makePrivate(ELSEWHERE, 0o711)
    await makePrivate(dirname(data), 0o711)
    return writeDurably(mark, home.folder)
  }
  throw new PartywallError('ERR_EMBEDDED_UNAVAILABLE', {
    message:
      owner === undefined
        ? `The data of ${home.folder} were kept in ${data}, which is gone: put it back, or remove ${home.place} to begin anew.`
        : `${home.place} points to the data of ${owner}: a folder whose data lie outside it cannot be copied or renamed.`,
  })
}

/** Inside a namespace root has no rights over what an account made before. */
async function keepAccount(data: string, preferred: RunAs): Promise<RunAs> {
  const owner = await ownerOf(data)
  if (preferred.kind !== 'namespace' || process.geteuid?.() !== 0 || owner === undefined || owner.uid === 0) {
    return preferred
  }
  return { kind: 'account', ...owner }
}

/** The account must be able to walk to the data and to own them, also when a namespace made them. */
async function openToAccount(home: Home, data: string, account: { uid: number; gid: number }): Promise<void> {
  await makePrivate(dirname(data), 0o711)
  if (data === home.data && !(await canEnter(home.folder))) {
    throw new PartywallError('ERR_EMBEDDED_UNAVAILABLE', {
      message: `PostgreSQL does not run as root, user namespaces are refused here, and uid ${account.uid} cannot enter ${home.folder}: allow entering it (chmod o+x), or run the app as another user.`,
    })
  }
  const owner = await ownerOf(data)
  if (owner !== undefined && owner.uid !== account.uid) await chownTree(data, account.uid, account.gid)
}

async function ownerOf(path: string): Promise<{ uid: number; gid: number } | undefined> {
  try {
    const { uid, gid } = await stat(path)
    return { uid, gid }
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

async function chooseSockets(home: Home, recorded: Place | undefined, data: string, runAs: RunAs): Promise<string> {
  const usual = data === home.data ? home.run : join(dirname(data), 'run')
  if (recorded !== undefined && recorded.sockets !== usual && (await isOurs(home, recorded.sockets, runAs))) {
    return recorded.sockets
  }
  const isShort = Buffer.byteLength(join(usual, `.s.PGSQL.${recorded?.port ?? 5432}`)) <= MAX_SOCKET_PATH
  if (!isShort && process.platform !== 'win32') return shortFolder(home)
  await makePrivate(usual)
  return usual
}

async function shortFolder(home: Home): Promise<string> {
  const base = Buffer.byteLength(tmpdir()) <= 60 ? tmpdir() : '/tmp'
  const folder = await mkdtemp(join(base, 'partywall-'))
  await writeDurably(join(folder, MARK), home.folder)
  return folder
}

/** Others may write to the folder of temporary files: what is recorded there counts only while it is ours and private. */
async function isOurs(home: Home, folder: string, runAs: RunAs): Promise<boolean> {
  try {
    const found = await lstat(folder)
    const owners = [process.geteuid?.() ?? found.uid, ...(runAs.kind === 'account' ? [runAs.uid] : [])]
    if (!found.isDirectory() || !owners.includes(found.uid) || (found.mode & 0o077) !== 0) return false
    return (await readIfPresent(join(folder, MARK))) === home.folder
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return false
    throw error
  }
}

/** True when every account may walk to `folder`. */
async function canEnter(folder: string): Promise<boolean> {
  for (let path = folder; ; path = dirname(path)) {
    if (((await stat(path)).mode & 0o001) === 0) return false
    if (path === dirname(path)) return true
  }
}

/** The number in the socket's name; a real one on Windows, kept so that pools find the server again after a restart. */
function choosePort(): Promise<number> {
  if (process.platform !== 'win32') return Promise.resolve(5432)
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      const port = typeof address === 'object' && address !== null ? address.port : 5432
      server.close(() => resolve(port))
    })
  })
}
