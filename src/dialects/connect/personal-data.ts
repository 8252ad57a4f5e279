/**
 * Personal data reporting (protocol s. 10): which accounts of a tenant the app keeps data about, and the daily job that reports
 * those whose turn has come. The product names accounts to erase or to refresh; the author's callbacks do it.
 */

import * as z from 'zod'
import type { TenantContext } from '../../core/context.ts'
import type { TenantStore } from '../../core/store.ts'
import { checkAnswer } from '../common/check.ts'
import { checkAccountId } from './account-id.ts'
import { daily, handlerOf, scheduleOf } from './client-jobs.ts'
import type { ClientDeps } from './host-api.ts'
import { createTenantClient } from './tenant-client.ts'

export interface PersonalData {
  /** The app has stored or refreshed data about this account just now. */
  note(accountId: string): Promise<void>
  /** The app has erased all data about this account. True when it was noted. */
  forget(accountId: string): Promise<boolean>
}

/** Run bound to the tenant; one that fails is run again with the next report. */
export interface PersonalDataCallbacks {
  /** The account is closed: erase what is kept about it. */
  erase(accountId: string, context: TenantContext): Promise<void>
  /** The account has changed: fetch anew, or erase. */
  refresh(accountId: string, context: TenantContext): Promise<void>
}

const JOB = 'accounts-report'
const PATH = '/rest/atlassian-connect/latest/report-accounts'
const MAX_ACCOUNTS = 90
const DAY_MS = 86_400_000
const DEFAULT_CYCLE_DAYS = 7
const CYCLE_KEY = 'cycle-days'
const rowShape = z.object({ updatedAt: z.number(), reportedAt: z.number() })
type Row = z.output<typeof rowShape>
const cycleShape = z.number().int().min(1).max(365)
const answerShape = z.looseObject({
  accounts: z.array(z.looseObject({ accountId: z.string(), status: z.string() })).max(MAX_ACCOUNTS),
})

export function createPersonalData(context: TenantContext, deps: ClientDeps): PersonalData {
  const { settings, jobs, random, clock } = deps
  const rows = rowsOf(context, deps)
  return {
    async note(accountId) {
      const key = checkAccountId(accountId)
      const present = await rows.get(key)
      const now = clock.now()
      await rows.set(key, {
        updatedAt: now,
        reportedAt: present === undefined ? now : rowShape.parse(present).reportedAt,
      })
      if (present !== undefined) return
      const schedule = { name: scheduleOf(settings, JOB), handler: handlerOf(settings, JOB), payload: null }
      await jobs.schedule(context, { ...schedule, cron: daily(random) })
    },
    forget: async accountId => rows.del(checkAccountId(accountId)),
  }
}

/** The daily job behind `note`. */
export function registerPersonalData(callbacks: PersonalDataCallbacks, deps: ClientDeps): void {
  deps.handlers.set(handlerOf(deps.settings, JOB), (_, context) => reportAccounts(context, callbacks, deps))
}

/**
 * Reports the accounts whose last report is a cycle old, 90 a call; what was reported stays so when a later call fails.
 * @throws as of `Exchange`; what a callback rejected with
 */
export async function reportAccounts(
  context: TenantContext,
  callbacks: PersonalDataCallbacks,
  deps: ClientDeps,
): Promise<void> {
  const rows = rowsOf(context, deps)
  const due = await dueAccounts(rows, (await cycleDays(context, deps)) * DAY_MS, deps.clock.now())
  for (let start = 0; start < due.length; start += MAX_ACCOUNTS) {
    await reportSome(context, new Map(due.slice(start, start + MAX_ACCOUNTS)), callbacks, deps)
  }
}

async function reportSome(
  context: TenantContext,
  batch: ReadonlyMap<string, Row>,
  callbacks: PersonalDataCallbacks,
  deps: ClientDeps,
): Promise<void> {
  const accounts = [...batch].map(([accountId, { updatedAt }]) => ({
    accountId,
    updatedAt: new Date(updatedAt).toISOString(),
  }))
  const { exchange } = createTenantClient(context, deps)
  const { status, headers, body } = await exchange('POST', PATH, { body: { accounts }, expect: [200, 204] })
  await keepCycle(context, headers['cycle-period'], deps)
  const rows = rowsOf(context, deps)
  const answered = status === 204 ? [] : checkAnswer(answerShape, body).accounts
  const statuses = new Map(answered.map(one => [one.accountId, one.status]))
  // Over what was asked: an account that was not is none of this tenant's, and nothing is erased on such a word.
  for (const [accountId, row] of batch) {
    const told = statuses.get(accountId)
    if (told === 'closed') {
      await callbacks.erase(accountId, context)
      await rows.del(accountId)
      continue
    }
    if (told === 'updated') await callbacks.refresh(accountId, context)
    const now = deps.clock.now()
    // A refresh that erased has forgotten the account itself.
    if (told === 'updated' && (await rows.get(accountId)) === undefined) continue
    await rows.set(accountId, { updatedAt: told === 'updated' ? now : row.updatedAt, reportedAt: now })
  }
}

async function dueAccounts(rows: TenantStore, cycleMs: number, now: number): Promise<[string, Row][]> {
  const due: [string, Row][] = []
  let cursor: string | undefined
  do {
    const page = await rows.list({ limit: 1_000, ...(cursor === undefined ? {} : { cursor }) })
    for (const [accountId, value] of Object.entries(page.items)) {
      const row = rowShape.parse(value)
      if (now - row.reportedAt >= cycleMs) due.push([accountId, row])
    }
    cursor = page.cursor
  } while (cursor !== undefined)
  return due
}

const rowsOf = (context: TenantContext, deps: ClientDeps): TenantStore =>
  deps.storeOf(context, 'internal').narrow('connect-accounts')

const settingsOf = (context: TenantContext, deps: ClientDeps): TenantStore =>
  deps.storeOf(context, 'internal').narrow('connect-accounts-report')

async function cycleDays(context: TenantContext, deps: ClientDeps): Promise<number> {
  return cycleShape.catch(DEFAULT_CYCLE_DAYS).parse(await settingsOf(context, deps).get(CYCLE_KEY))
}

/** Days, as the product says with each answer. */
async function keepCycle(context: TenantContext, header: string | undefined, deps: ClientDeps): Promise<void> {
  const days = cycleShape.safeParse(Number(header))
  if (header !== undefined && days.success) await settingsOf(context, deps).set(CYCLE_KEY, days.data)
}
