/**
 * Moves what an app of atlassian-connect-express has stored into Partywall: an operator's act, run once from a script, and again after
 * an interruption. Two passes over the old store: the first finds the install records, the second moves what belongs to them.
 *
 * The wall holds here as anywhere: everything is written bound to the tenant whose row it was.
 */

import { type ErrorCode, isPartywallError, PartywallError } from '../../../core/errors.ts'
import type { TenantStore } from '../../../core/store.ts'
import type { JsonValue } from '../../../core/tenant.ts'
import type { ImportedInstallation, ImportInstallationOptions } from './import-installation.ts'
import { type ConnectStoreSource, type OldRow, RECORD_KEY } from './old-rows.ts'

export interface ConnectImportOptions extends ImportInstallationOptions {
  /** Writes over values that are here already. Default false: what is here is newer. */
  readonly overwrite?: boolean
  /** Where a value goes; `undefined` leaves it behind. Default: the key as it was. */
  readonly mapKey?: (key: string) => string | { readonly scopes: readonly string[]; readonly key: string } | undefined
}

/** What an import needs of an app: `app.connect(...)` has it. */
export interface ConnectImportTarget {
  importInstallation(record: unknown, options?: ImportInstallationOptions): Promise<ImportedInstallation>
}

export interface ConnectImportReport {
  readonly dryRun: boolean
  readonly tenants: readonly ConnectTenantReport[]
  /** Rows of tenants without an install record; they stay behind. */
  readonly orphans: number
}
export interface ConnectTenantReport {
  readonly clientKey: string
  readonly outcome: ImportedInstallation['outcome'] | 'refused'
  /** Why it was refused. */
  readonly code: ErrorCode | undefined
  readonly stored: number
  /** Were here already, and stayed. */
  readonly kept: number
  /** Left behind by `mapKey`. */
  readonly skipped: number
  readonly refused: readonly { readonly key: string; readonly code: ErrorCode }[]
}

type Mutable<T> = { -readonly [name in keyof T]: T[name] extends readonly (infer E)[] ? E[] : T[name] }
interface Open {
  readonly report: Mutable<ConnectTenantReport>
  readonly installation: ImportedInstallation | undefined
}

const AT_ONCE = 16
/** Rows that wait, of all tenants together. */
const BATCH = 1_000

/**
 * Imports tenants and their data. Stop the old app first: what it writes meanwhile may be missed. Running it again changes nothing
 * more and goes on where it was interrupted.
 *
 * @param addon   the app, built as it will serve
 * @param source  `databaseRows`, `redisRows`, `jsonLinesRows`, or one of your own
 * @throws PartywallError ERR_IMPORT_SOURCE, ERR_STORE_UNAVAILABLE; what is wrong with one tenant or value is in the report
 * @example const report = await importConnectStore(addon, databaseRows(query), { dryRun: true })
 */
export async function importConnectStore(
  addon: ConnectImportTarget,
  source: ConnectStoreSource,
  options: ConnectImportOptions = {},
): Promise<ConnectImportReport> {
  const installations = await readInstallations(source)
  const tenants = new Map<string, Open>()
  await inTurns(await readRecords(source), async ([clientKey, records]) => {
    tenants.set(clientKey, await openTenant(addon, clientKey, records, installations, options))
  })
  const orphans = await moveRows(source, tenants, options)
  return { dryRun: options.dryRun === true, tenants: [...tenants.values()].map(({ report }) => report), orphans }
}

/** Rows of a tenant are written some at a time, in one binding of it. @returns how many rows were nobody's */
async function moveRows(
  source: ConnectStoreSource,
  tenants: ReadonlyMap<string, Open>,
  options: ConnectImportOptions,
): Promise<number> {
  const waiting = new Map<Open, OldRow[]>()
  let count = 0
  let orphans = 0
  const flush = async () => {
    await inTurns(waiting, ([tenant, rows]) => moveBatch(tenant, rows, options))
    waiting.clear()
    count = 0
  }
  for await (const row of source.rows()) {
    if (row.key === RECORD_KEY) continue
    const tenant = tenants.get(row.clientKey)
    if (tenant === undefined) orphans += 1
    if (tenant?.installation === undefined) continue
    waiting.set(tenant, [...(waiting.get(tenant) ?? []), row])
    count += 1
    if (count >= BATCH) await flush()
  }
  await flush()
  return orphans
}

async function readInstallations(source: ConnectStoreSource): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>()
  if (source.installations === undefined) return found
  for await (const { clientKey, installationId } of source.installations()) found.set(clientKey, installationId)
  return found
}

/** Its SQL store could hold two records of a tenant, of installs that came at the same moment. */
async function readRecords(source: ConnectStoreSource): Promise<ReadonlyMap<string, readonly unknown[]>> {
  const found = new Map<string, unknown[]>()
  for await (const { clientKey, key, value } of source.rows())
    if (key === RECORD_KEY) found.set(clientKey, [...(found.get(clientKey) ?? []), value])
  return found
}

/** The first record that counts. */
async function openTenant(
  addon: ConnectImportTarget,
  clientKey: string,
  records: readonly unknown[],
  installations: ReadonlyMap<string, string>,
  { verify = true, dryRun = false }: ConnectImportOptions,
): Promise<Open> {
  const counts = { stored: 0, kept: 0, skipped: 0, refused: [] }
  const report: Open['report'] = { clientKey, outcome: 'refused', code: undefined, ...counts }
  const installationId = installations.get(clientKey)
  for (const value of records) {
    try {
      const whole = { ...Object(parsed(value)), ...(installationId === undefined ? {} : { installationId }) }
      // A row under one tenant's name whose record is another's would give the one's data to the other.
      if (whole.clientKey !== clientKey) throw new PartywallError('ERR_TENANT_MISMATCH')
      const installation = await addon.importInstallation(whole, { verify, dryRun })
      report.outcome = installation.outcome
      report.code = undefined
      return { report, installation }
    } catch (error) {
      report.code = codeOf(error)
    }
  }
  return { report, installation: undefined }
}

async function moveBatch(tenant: Open, rows: readonly OldRow[], options: ConnectImportOptions): Promise<void> {
  const { report, installation } = tenant
  const move = (data: TenantStore | undefined) => Promise.all(rows.map(row => moveRow(report, row, data, options)))
  if (options.dryRun === true) await move(undefined)
  else
    try {
      await installation?.run(move)
    } catch (error) {
      // It has ended meanwhile: what is left of it stays behind.
      report.code = codeOf(error)
    }
}

/** @param data  `undefined`: only looks */
async function moveRow(
  report: Open['report'],
  { key, value }: OldRow,
  data: TenantStore | undefined,
  { mapKey, overwrite = false }: ConnectImportOptions,
): Promise<void> {
  const place = mapKey === undefined ? key : mapKey(key)
  if (place === undefined) {
    report.skipped += 1
    return
  }
  const { scopes, key: name } = typeof place === 'string' ? { scopes: [], key: place } : place
  try {
    const json = parsed(value)
    if (data !== undefined) {
      const store = scopes.reduce((narrowed, scope) => narrowed.narrow(scope), data)
      await store.set(name, json, overwrite ? {} : { ifVersion: 0 })
    }
    report.stored += 1
  } catch (error) {
    if (isPartywallError(error, 'ERR_VERSION_CONFLICT')) report.kept += 1
    else report.refused.push({ key, code: codeOf(error) })
  }
}

/** Values of its stores are JSON, or text that is JSON. @throws PartywallError ERR_VALUE_INVALID */
function parsed(value: unknown): JsonValue {
  if (value === undefined) throw new PartywallError('ERR_VALUE_INVALID')
  if (typeof value !== 'string') return value as JsonValue
  try {
    return JSON.parse(value) as JsonValue
  } catch {
    // A text that is no JSON is a text: its settings could be any.
    return value
  }
}

/** @throws what is about the store or the source, and not about one tenant or value */
function codeOf(error: unknown): ErrorCode {
  if (!isPartywallError(error) || /^ERR_(STORE_|IMPORT_|SHUTTING_)/.test(error.code)) throw error
  return error.code
}

/** A few at a time; the first failure ends it, after those under way. */
async function inTurns<T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  const running = new Set<Promise<void>>()
  let failure: { readonly error: unknown } | undefined
  for (const item of items) {
    const one: Promise<void> = work(item)
      .catch(error => {
        failure ??= { error }
      })
      .finally(() => running.delete(one))
    running.add(one)
    if (running.size >= AT_ONCE) await Promise.race(running)
    if (failure !== undefined) break
  }
  await Promise.all(running)
  if (failure !== undefined) throw failure.error
}
