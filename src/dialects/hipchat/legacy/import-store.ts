/**
 * Moves what an ac-koa-hipchat add-on has stored into Partywall: an operator's act, run once from a script, and again after an
 * interruption. Two passes over the old store: the first finds the tenant records, the second moves what is below them.
 *
 * The wall holds here as anywhere: everything is written bound to the tenant whose record owns the key.
 */

import { isPartywallError } from '../../../core/errors.ts'
import type { ImportedInstallation, ImportInstallationOptions } from './import-installation.ts'
import { type ImportRun, inChunks, movePage, type OpenTenant, whileInstalled } from './import-pages.ts'
import { createTally, type HipchatImportReport, newTenantReport } from './import-report.ts'
import { isAboutTheStore, type KeyMapping } from './import-values.ts'
import {
  isRecordOf,
  type OldStoreSource,
  type OldTenant,
  type OldValue,
  readOldTenant,
  tenantPrefix,
} from './old-store.ts'

export interface HipchatImportOptions {
  /** Scope of the add-on in the old app, `app.addon(scope)`; none for the only add-on. */
  readonly scope?: string
  /** Looks at everything, asks no host, changes nothing. Default false. */
  readonly dryRun?: boolean
  /** Default true: credentials count only when their host issues a token for them. False only where the hosts are gone. */
  readonly verify?: boolean
  /** Writes over values that are here already. Default false: what is here is newer. */
  readonly overwrite?: boolean
  /** Looks again at tenants that an earlier run has finished. Default false. */
  readonly again?: boolean
  /** Registers webhooks of tenants anew and removes the old ones at the host. Default false: they are listed. */
  readonly reregisterWebhooks?: boolean
  readonly mapKey?: KeyMapping
  /** Hears after each page of keys. */
  readonly onProgress?: (progress: { readonly tenants: number; readonly keys: number }) => void
}

/** What an import needs of an add-on: `app.hipchat(...)` has it. */
export interface ImportTarget {
  importInstallation(old: OldTenant, options?: ImportInstallationOptions): Promise<ImportedInstallation>
}

/** Note of a tenant whose data has been moved whole. */
const DONE_NOTE = 'hipchat-import'

/**
 * Imports tenants, their data with the time it has left, and their webhooks. Stop the old app first: what it writes meanwhile
 * may be missed. Running it again changes nothing more and goes on where it was interrupted.
 *
 * @param addon   the add-on in its app, built as it will serve
 * @param source  `redisStoreSource(client)`, `memoryStoreSource(dump)`, or one of your own
 * @throws PartywallError ERR_IMPORT_SOURCE, ERR_STORE_UNAVAILABLE; what is wrong with one tenant or value is in the report
 * @example const report = await importHipchatStore(addon, memoryStoreSource(dump), { dryRun: true })
 */
export async function importHipchatStore(
  addon: ImportTarget,
  source: OldStoreSource,
  options: HipchatImportOptions = {},
): Promise<HipchatImportReport> {
  const prefix = tenantPrefix(options.scope)
  const records = await findRecords(source, prefix)
  const run: ImportRun = { source, prefix, ids: records, options, tenants: new Map(), tally: createTally() }
  await inChunks([...records], async ([id, record]) => {
    const tenant = await openTenant(addon, id, record, run)
    if (tenant !== undefined) run.tenants.set(id, tenant)
  })
  let keys = 0
  for await (const page of source.keys(prefix)) {
    await movePage(page, run)
    keys += page.length
    options.onProgress?.({ tenants: records.size, keys })
  }
  if (options.dryRun !== true) await inChunks([...run.tenants.values()], finish)
  return run.tally.report(options.dryRun === true)
}

async function findRecords(source: OldStoreSource, prefix: string): Promise<Map<string, unknown>> {
  const records = new Map<string, unknown>()
  for await (const page of source.keys(prefix)) {
    const values = await source.read(page)
    for (const [index, key] of page.entries()) {
      const id = key.slice(prefix.length)
      const value = parsed(values[index])
      if (isRecordOf(id, value)) records.set(id, value)
    }
  }
  return records
}

function parsed(value: OldValue | undefined): unknown {
  if (value === undefined || 'code' in value) return undefined
  try {
    return JSON.parse(value.text)
  } catch {
    // Not JSON, so no record; the second pass says so where it is data.
    return undefined
  }
}

/** @returns the tenant, if anything of it is to be moved */
async function openTenant(
  addon: ImportTarget,
  id: string,
  record: unknown,
  { tally, options }: ImportRun,
): Promise<OpenTenant | undefined> {
  const { verify = true, dryRun = false } = options
  const report = newTenantReport(id)
  tally.tenants.set(id, report)
  try {
    const old = readOldTenant(record)
    const installation = await addon.importInstallation(old, { verify, dryRun })
    report.outcome = installation.outcome
    if (!options.again && !options.overwrite && (await isDone(installation))) {
      report.outcome = 'done'
      return undefined
    }
    return { old, report, installation }
  } catch (error) {
    if (!isPartywallError(error) || isAboutTheStore(error)) throw error
    report.code = error.code
    return undefined
  }
}

const isDone = async ({ outcome, run }: ImportedInstallation): Promise<boolean> =>
  outcome === 'present' && (await run(({ notes }) => notes.get(DONE_NOTE))) !== undefined

async function finish({ report, installation }: OpenTenant): Promise<void> {
  const { stored, kept, refused } = report
  await whileInstalled(report, () => installation.run(({ notes }) => notes.set(DONE_NOTE, { stored, kept, refused })))
}
