/** A person on a site: to apps an account id, whose permissions the products can be asked for. */

export interface ConnectUserSpec {
  readonly displayName: string
  readonly email?: string
  readonly timeZone?: string
  readonly locale?: string
  /** Permissions beyond looking: `BROWSE_PROJECTS`, `EDIT_ISSUES`, `ADMINISTER`, `read`, `update` ... Default: looking alone. */
  readonly permissions?: readonly string[]
}

/** What everybody may. */
const LOOKING = ['BROWSE_PROJECTS', 'read'] as const
const ADMINISTRATION = ['ADMINISTER', 'SYSTEM_ADMIN', 'administer'] as const

export class ConnectUser {
  readonly accountId: string
  readonly displayName: string
  readonly email: string | undefined
  readonly timeZone: string
  readonly locale: string
  readonly permissions: Set<string>
  readonly properties = new Map<string, unknown>()
  /** What a `report-accounts` call hears of this account. */
  accountStatus: 'active' | 'closed' | 'updated' = 'active'
  constructor(accountId: string, spec: ConnectUserSpec) {
    this.accountId = accountId
    this.displayName = spec.displayName
    this.email = spec.email
    this.timeZone = spec.timeZone ?? 'Etc/UTC'
    this.locale = spec.locale ?? 'en-US'
    this.permissions = new Set([...LOOKING, ...(spec.permissions ?? [])])
  }
  get isAdmin(): boolean {
    return ADMINISTRATION.some(permission => this.permissions.has(permission))
  }
  /** Administrators may everything. */
  may(permission: string): boolean {
    return this.isAdmin || this.permissions.has(permission)
  }
}
