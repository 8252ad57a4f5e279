/**
 * The roles of the wall. `pw_owner` owns the schema and cannot log in; three logins own nothing and inherit nothing:
 * `pw_app` sees rows of the bound tenant, `pw_system` the registry, `pw_jobs` what is due and never a payload.
 * `pw_author` owns the tables of app authors.
 */

import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'
import { type AdminSession, literal } from './admin-session.ts'

export const LOGINS = ['app', 'system', 'jobs'] as const
export type Login = (typeof LOGINS)[number]
/** One URL per login. */
export type DatabaseUrls = Readonly<Record<Login, string>>
export type Passwords = Readonly<Record<Login, string>>

export const roleOf = (login: Login): string => `pw_${login}`
export const OWNER = 'pw_owner'
export const AUTHOR = 'pw_author'

const LOGIN_RIGHTS = 'login nosuperuser nocreaterole nocreatedb nobypassrls noinherit noreplication'
const OWNER_RIGHTS = 'nologin nosuperuser nocreaterole nocreatedb nobypassrls noreplication'

/** Limits of a runaway statement, and plans that do not depend on the values: what is read is always one tenant's. */
export const SETTINGS: Readonly<Record<Login, Readonly<Record<string, string>>>> = {
  app: {
    search_path: 'pw, pg_catalog',
    statement_timeout: '5s',
    lock_timeout: '3s',
    idle_in_transaction_session_timeout: '10s',
    plan_cache_mode: 'force_generic_plan',
    standard_conforming_strings: 'on',
    jit: 'off',
  },
  system: {
    search_path: 'pw, pg_catalog',
    statement_timeout: '10s',
    lock_timeout: '5s',
    idle_in_transaction_session_timeout: '10s',
    jit: 'off',
  },
  jobs: {
    search_path: 'pw, pg_catalog',
    statement_timeout: '10s',
    lock_timeout: '3s',
    idle_in_transaction_session_timeout: '10s',
    jit: 'off',
  },
}

export const newPassword = (): string => randomBytes(24).toString('base64url')

/**
 * Creates what is missing and brings rights and settings back to what they must be.
 * @param passwords set where given; logins that are there already keep theirs where not
 * @returns the passwords that are known now
 */
export async function ensureRoles(
  session: AdminSession,
  passwords: Partial<Passwords>,
  renew: boolean,
): Promise<Partial<Passwords>> {
  const known: Partial<Record<Login, string>> = {}
  for (const owner of [OWNER, AUTHOR]) await ensureRole(session, owner, OWNER_RIGHTS)
  for (const login of LOGINS) {
    const isNew = await ensureRole(session, roleOf(login), LOGIN_RIGHTS)
    const password = passwords[login] ?? (isNew || renew ? newPassword() : undefined)
    if (password !== undefined) {
      await session.run(`alter role ${roleOf(login)} password ${literal(scramVerifier(password))}`)
      known[login] = password
    }
    const settings = Object.entries(SETTINGS[login]).map(
      ([name, value]) => `alter role ${roleOf(login)} set ${name} to ${settingValue(name, value)}`,
    )
    await session.run(settings.join(';'))
  }
  // An administrator who is no superuser must be able to act as the owners.
  await session.run(`grant ${OWNER}, ${AUTHOR} to current_user`)
  return known
}

/** True when it was created. */
async function ensureRole(session: AdminSession, name: string, rights: string): Promise<boolean> {
  const found = await session.run(
    'select rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication from pg_roles where rolname = $1',
    [name],
  )
  const role = found[0]
  if (role === undefined) {
    await session.run(`create role ${name} ${rights}`)
    return true
  }
  if (Object.values(role).some(right => right === true)) await session.run(`alter role ${name} ${rights}`)
  return false
}

const settingValue = (name: string, value: string): string => (name === 'search_path' ? value : literal(value))

/**
 * What PostgreSQL stores for a password (SCRAM-SHA-256, RFC 5803). Made here, so that the password itself never travels in
 * a statement and never stands in a server's log.
 */
export function scramVerifier(password: string, salt: Buffer = randomBytes(16), iterations = 4_096): string {
  const salted = pbkdf2Sync(password.normalize('NFKC'), salt, iterations, 32, 'sha256')
  const clientKey = createHmac('sha256', salted).update('Client Key').digest()
  const storedKey = createHash('sha256').update(clientKey).digest('base64')
  const serverKey = createHmac('sha256', salted).update('Server Key').digest('base64')
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey}:${serverKey}`
}
