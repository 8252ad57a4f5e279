/**
 * Where key-encryption keys come from: the environment, or in development a private file in the user's configuration
 * folder. Never the database, and never a folder that is copied together with it.
 */

import { randomBytes } from 'node:crypto'
import { chmod, link, mkdir, open, readFile, stat, unlink } from 'node:fs/promises'
import { homedir } from 'node:os'
import path from 'node:path'
import { PartywallError } from '../core/errors.ts'
import type { KeyProvider } from '../core/ports.ts'
import { KEY_BYTES } from './secrets.ts'

export interface KeyOptions {
  /** `PARTYWALL_KEYS` is `id:base64,id:base64,...`, first is current; each key has 32 bytes. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Refuses to make a key of its own. */
  readonly production: boolean
  /** The app's data folder: keys are refused inside it, since who copies the data would copy the keys. */
  readonly dataFolder?: string
}

/**
 * @throws ERR_KEYS_MISSING in production without `PARTYWALL_KEYS`
 * @throws ERR_KEYS_INVALID when a key is not 32 bytes of base64, an id is odd or given twice, or the file is open to others
 * @example await keyProvider({ env: process.env, production: process.env.NODE_ENV === 'production' })
 */
export async function keyProvider(options: KeyOptions): Promise<KeyProvider> {
  const listed = options.env.PARTYWALL_KEYS
  if (listed !== undefined && listed.trim() !== '') return parseKeys(listed, 'PARTYWALL_KEYS')
  if (options.production) {
    throw new PartywallError('ERR_KEYS_MISSING', {
      message:
        'PARTYWALL_KEYS is not set: production needs a key-encryption key, as "id:base64" of 32 random bytes' +
        ' (for example: echo "first:$(openssl rand -base64 32)")',
    })
  }
  const file = developmentFile(options.env)
  refuseInside(file, options.dataFolder)
  return parseKeys(await readOrCreate(file), file)
}

/** Parses `id:base64,id:base64,...`; the first is current. @throws ERR_KEYS_INVALID */
export function parseKeys(text: string, source: string): KeyProvider {
  const keys = new Map<string, Buffer>()
  let current: { readonly id: string; readonly key: Buffer } | undefined
  for (const [at, entry] of text.trim().split(',').entries()) {
    const { id, key } = parseKey(entry.trim(), at + 1, source)
    if (keys.has(id)) throw invalid(`${source}: the key id "${id}" is given twice`)
    keys.set(id, key)
    current ??= { id, key }
  }
  if (current === undefined) throw invalid(`${source} holds no key`)
  return { current, find: id => keys.get(id) }
}

function parseKey(entry: string, position: number, source: string): { id: string; key: Buffer } {
  const [, id, encoded] = /^([A-Za-z0-9._-]{1,64}):([A-Za-z0-9+/]{43}=)$/.exec(entry) ?? []
  const key = Buffer.from(encoded ?? '', 'base64')
  if (id === undefined || key.length !== KEY_BYTES || key.toString('base64') !== encoded) {
    throw invalid(`${source}: entry ${position} is not "id:base64" of ${KEY_BYTES} bytes`)
  }
  return { id, key }
}

const developmentFile = (env: KeyOptions['env']): string => {
  const configured = env.XDG_CONFIG_HOME
  // The base directory specification says to ignore a path that is not absolute.
  const folder =
    configured !== undefined && path.isAbsolute(configured) ? configured : path.join(env.HOME ?? homedir(), '.config')
  return path.join(folder, 'partywall', 'keys')
}

function refuseInside(file: string, dataFolder: string | undefined): void {
  if (dataFolder === undefined) return
  const below = path.relative(path.resolve(dataFolder), file)
  if (!below.startsWith('..') && !path.isAbsolute(below)) {
    throw invalid('the key file would lie inside the data folder; set XDG_CONFIG_HOME or PARTYWALL_KEYS')
  }
}

async function readOrCreate(file: string): Promise<string> {
  const known = await readPrivate(file)
  if (known !== undefined) return known
  await create(file)
  const made = await readPrivate(file)
  if (made === undefined) throw invalid('the key file vanished while it was made')
  return made
}

async function readPrivate(file: string): Promise<string | undefined> {
  try {
    const { mode } = await stat(file)
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      throw invalid(
        'the key file can be read by others; make it private: chmod 600 <configuration folder>/partywall/keys',
      )
    }
    return await readFile(file, 'utf8')
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** Complete or not there at all, and the first of several processes wins. */
async function create(file: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
  const draft = `${file}.${process.pid}.${randomBytes(6).toString('hex')}`
  const handle = await open(draft, 'wx', 0o600)
  try {
    await handle.writeFile(`dev-${randomBytes(4).toString('hex')}:${randomBytes(KEY_BYTES).toString('base64')}\n`)
    await handle.sync()
    await handle.close()
    await chmod(draft, 0o600)
    await linkOnce(draft, file)
  } finally {
    await unlink(draft)
  }
}

async function linkOnce(draft: string, file: string): Promise<void> {
  try {
    await link(draft, file)
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error
  }
}

const isMissing = (error: unknown): boolean => hasCode(error, 'ENOENT')

const hasCode = (error: unknown, code: string): boolean =>
  typeof error === 'object' && error !== null && 'code' in error && error.code === code

const invalid = (message: string): PartywallError => new PartywallError('ERR_KEYS_INVALID', { message })
