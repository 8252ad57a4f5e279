/** Passwords of the embedded database: files of mode 0600 in its folder. Never in a command line, an environment or a log. */

import { randomBytes } from 'node:crypto'
import { PartywallError } from '../../core/errors.ts'
import { readIfPresent, writeDurably } from './files.ts'
import type { Home } from './home.ts'

export const SUPERUSER = 'partywall_admin'

export interface Credentials {
  /** Passwords by role; empty before the first `write`. */
  read(): Promise<Record<string, string>>
  /** Replaces all of them, durably. */
  write(values: Readonly<Record<string, string>>): Promise<void>
}

export function createCredentials(home: Home): Credentials {
  return {
    async read() {
      const text = await readIfPresent(home.credentials)
      return text === undefined ? {} : parse(text, home.credentials)
    },
    write: values => writeDurably(home.credentials, JSON.stringify(values)),
  }
}

/** The superuser's password, made at the first call. Called by the keeper only, which is alone. */
export async function ensureSuperuserPassword(home: Home): Promise<string> {
  const present = await readIfPresent(home.superuser)
  if (present !== undefined && present !== '') return present
  const password = randomBytes(32).toString('base64url')
  await writeDurably(home.superuser, password)
  return password
}

/** @throws ERR_EMBEDDED_UNAVAILABLE when the file is gone */
export async function readSuperuserPassword(home: Home): Promise<string> {
  const password = await readIfPresent(home.superuser)
  if (password !== undefined && password !== '') return password
  throw new PartywallError('ERR_EMBEDDED_UNAVAILABLE', {
    message: `${home.superuser} is missing: it holds the password of the database in this folder. Restore it from the backup of the folder.`,
  })
}

function parse(text: string, path: string): Record<string, string> {
  const values: Record<string, string> = {}
  for (const [role, password] of Object.entries(parseObject(text) ?? { '': undefined })) {
    if (typeof password !== 'string') {
      throw new PartywallError('ERR_EMBEDDED_UNAVAILABLE', {
        message: `${path} is damaged: it must hold {role: password}.`,
      })
    }
    values[role] = password
  }
  return values
}

/** `undefined` instead of the parser's error, which quotes what it could not read. */
function parseObject(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}
