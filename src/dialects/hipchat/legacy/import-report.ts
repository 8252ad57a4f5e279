/** What an import has done, and what it could not do: counts and codes, never values or secrets. */

import type { ErrorCode } from '../../../core/errors.ts'

export interface HipchatImportReport {
  readonly dryRun: boolean
  /** One for each tenant record. */
  readonly tenants: readonly TenantReport[]
  /** The first 10,000 keys that could not be taken along. */
  readonly refused: readonly RefusedKey[]
  readonly refusedCount: number
  /** Cached tokens, left behind on purpose. */
  readonly tokens: number
  /** Keys below a tenant that the old layout does not know. */
  readonly unknown: number
  /** Keys that belong to no tenant record: what an uninstall left, or another add-on's. */
  readonly orphans: number
}

export interface TenantReport {
  readonly id: string
  /**
   * `present` installed here already · `created` · `restored` · `checked` by a dry run · `done` by an earlier run, nothing was
   * looked at · `refused` for `code`, with nothing of it taken along · `ended` here while its data was written
   */
  outcome: 'present' | 'created' | 'restored' | 'checked' | 'done' | 'refused' | 'ended'
  code?: ErrorCode
  /** Values written; in a dry run those that could be. */
  stored: number
  /** Values that were there already, and stayed. */
  kept: number
  refused: number
  /** Values that the mapping left out. */
  skipped: number
  readonly webhooks: WebhookReport[]
}

export interface WebhookReport {
  readonly name: string
  readonly event: string
  readonly pattern?: string
  /**
   * `remembered`: `tenantWebhooks.remove(name)` works, but deliveries are refused until it is registered anew · `registered`
   * anew, the old one removed · `refused` for `code`
   */
  readonly state: 'remembered' | 'registered' | 'refused'
  readonly code?: ErrorCode
}

export interface RefusedKey {
  readonly tenant: string
  /** Below the tenant, as the old store has it: `data:greeting`. */
  readonly key: string
  readonly code: ErrorCode
}

const MAX_REFUSED = 10_000

/** Counts while an import runs. */
export interface Tally {
  readonly tenants: Map<string, TenantReport>
  readonly lost: { tokens: number; unknown: number; orphans: number }
  refuse(tenant: TenantReport, key: string, code: ErrorCode): void
  report(dryRun: boolean): HipchatImportReport
}

export function createTally(): Tally {
  const tenants = new Map<string, TenantReport>()
  const lost = { tokens: 0, unknown: 0, orphans: 0 }
  const refused: RefusedKey[] = []
  let refusedCount = 0
  return {
    tenants,
    lost,
    refuse(tenant, key, code) {
      refusedCount += 1
      tenant.refused += 1
      if (refused.length < MAX_REFUSED) refused.push({ tenant: tenant.id, key, code })
    },
    report: dryRun => ({ dryRun, tenants: [...tenants.values()], refused, refusedCount, ...lost }),
  }
}

export const newTenantReport = (id: string): TenantReport => ({
  id,
  outcome: 'refused',
  stored: 0,
  kept: 0,
  refused: 0,
  skipped: 0,
  webhooks: [],
})
