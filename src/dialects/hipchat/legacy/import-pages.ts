/** The second pass of an import: pages of keys, each key to the tenant that owns it, a few tenants at a time. */

import { isPartywallError } from '../../../core/errors.ts'
import type { ImportedInstallation, ImportStores } from './import-installation.ts'
import type { Tally, TenantReport } from './import-report.ts'
import type { HipchatImportOptions } from './import-store.ts'
import { checkValue, codeOfValue, type NewPlace, writeValue } from './import-values.ts'
import { importWebhook } from './import-webhooks.ts'
import {
  type OldPlace,
  type OldStoreSource,
  type OldTenant,
  type OldValue,
  placeOf,
  readOldWebhook,
} from './old-store.ts'

export interface ImportRun {
  readonly source: OldStoreSource
  readonly prefix: string
  /** Ids of all tenant records, also of those that are refused: what is theirs is nobody else's. */
  readonly ids: { has(id: string): boolean }
  readonly options: HipchatImportOptions
  /** Those whose keys are moved. */
  readonly tenants: Map<string, OpenTenant>
  readonly tally: Tally
}

export interface OpenTenant {
  readonly old: OldTenant
  readonly report: TenantReport
  readonly installation: ImportedInstallation
}

interface Entry {
  readonly kind: 'data' | 'webhook'
  /** Below the tenant and its kind. */
  readonly key: string
  readonly value: OldValue
}

const CONCURRENCY = 8

/** @param page  full keys */
export async function movePage(page: readonly string[], run: ImportRun): Promise<void> {
  const wanted = page.flatMap(full => {
    const place = placeOf(full.slice(run.prefix.length), run.ids)
    if (!isWanted(place, run)) return []
    const tenant = run.tenants.get(place.id)
    return tenant === undefined ? [] : [{ full, tenant, kind: place.kind, key: place.key }]
  })
  const values = await run.source.read(wanted.map(({ full }) => full))
  const byTenant = new Map<OpenTenant, Entry[]>()
  for (const [index, { tenant, kind, key }] of wanted.entries()) {
    const value = values[index]
    if (value !== undefined) byTenant.set(tenant, [...(byTenant.get(tenant) ?? []), { kind, key, value }])
  }
  await inChunks([...byTenant], ([tenant, entries]) => moveEntries(tenant, entries, run))
}

async function moveEntries(tenant: OpenTenant, entries: readonly Entry[], run: ImportRun): Promise<void> {
  const { installation, report } = tenant
  const moveAll = (stores?: ImportStores) => settled(entries.map(entry => moveEntry(tenant, entry, stores, run)))
  if (run.options.dryRun === true) await moveAll()
  else await whileInstalled(report, () => installation.run(moveAll))
}

/** A tenant that ends meanwhile ends its own part of the import. */
export async function whileInstalled(report: TenantReport, work: () => Promise<unknown>): Promise<void> {
  if (report.outcome === 'ended') return
  try {
    await work()
  } catch (error) {
    const hasEnded = isPartywallError(error, 'ERR_TENANT_REVOKED') || isPartywallError(error, 'ERR_TENANT_DISABLED')
    if (!hasEnded) throw error
    report.outcome = 'ended'
    report.code = error.code
  }
}

/** @param stores  left out: a dry run */
async function moveEntry(
  { old, report }: OpenTenant,
  { kind, key, value }: Entry,
  stores: ImportStores | undefined,
  { options, tally }: ImportRun,
): Promise<void> {
  try {
    if (kind === 'data') {
      const place: NewPlace | undefined = options.mapKey === undefined ? key : options.mapKey(key, old.id)
      if (place === undefined) report.skipped += 1
      else report[await moveValue(place, value, stores, options)] += 1
      return
    }
    const webhook = readOldWebhook(checkValue(key, value))
    report.webhooks.push(await importWebhook(webhook, old, options.reregisterWebhooks === true, stores))
  } catch (error) {
    tally.refuse(report, `${kind}:${key}`, codeOfValue(error))
  }
}

async function moveValue(
  place: NewPlace,
  value: OldValue,
  stores: ImportStores | undefined,
  { overwrite = false }: HipchatImportOptions,
): Promise<'stored' | 'kept'> {
  if (stores !== undefined) return writeValue(stores.data, value, { place, overwrite })
  checkValue(place, value)
  return 'stored'
}

/** Counts what is left behind, and says whether a place holds anything to move. */
function isWanted(
  place: OldPlace,
  { tally: { lost } }: ImportRun,
): place is OldPlace & { readonly kind: 'data' | 'webhook' } {
  if (place.kind === 'token') lost.tokens += 1
  else if (place.kind === 'unknown') lost.unknown += 1
  else if (place.kind === 'orphan') lost.orphans += 1
  return place.kind === 'data' || place.kind === 'webhook'
}

/** A few at a time, in order of the list. */
export async function inChunks<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  for (let at = 0; at < items.length; at += CONCURRENCY) await settled(items.slice(at, at + CONCURRENCY).map(work))
}

/** Waits for all of them, also where one fails: nothing goes on behind the back of who waits. */
async function settled(work: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(work)).find(result => result.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}
