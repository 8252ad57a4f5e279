/** Roles belong to a whole server: every test process and probe that prepares databases in it must give them the same passwords. */

import { createHash } from 'node:crypto'
import type { Passwords } from '../../src/postgres/roles.ts'

export function rolePasswords(adminUrl: string): Passwords {
  const { username, password, host, searchParams } = new URL(adminUrl)
  const of = (login: string) =>
    createHash('sha256')
      .update(JSON.stringify(['partywall test role', username, password, host, searchParams.get('host'), login]))
      .digest('base64url')
  return { app: of('app'), system: of('system'), jobs: of('jobs') }
}
