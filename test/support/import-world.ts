/** An app with one add-on, two simulated hosts of which it accepts one, and the old add-on whose data is to be moved. */

import assert from 'node:assert/strict'
import type { HipchatApp, TenantServices } from 'partywall'
import {
  type HipchatImportOptions,
  type HipchatImportReport,
  importHipchatStore,
  memoryStoreSource,
  type TenantReport,
} from 'partywall/hipchat'
import { type HipchatHost, startHipchatHost } from 'partywall/host'
import { createTestDatabase, type TestDatabase } from './database.ts'
import { type RunningApp, startHipchatApp } from './hipchat-app.ts'
import { type OldRecord, type OldTenant, startOldAddon } from './old-addon.ts'

export interface ImportWorld {
  readonly database: TestDatabase
  readonly host: HipchatHost
  /** A host that the app does not accept. */
  readonly foreign: HipchatHost
  readonly running: RunningApp<HipchatApp>
  /** Ids for which `onInstalled` has run. */
  readonly installed: readonly string[]
  /** A tenant of the old add-on in a room of this name. */
  oldTenant(roomName: string, at?: HipchatHost): Promise<OldTenant>
  /** Imports a dump of the memory store. */
  run(dump: Readonly<Record<string, unknown>>, options?: HipchatImportOptions): Promise<HipchatImportReport>
  /** Runs as a tenant in the new app. */
  as<T>(record: Pick<OldRecord, 'id'>, work: (services: TenantServices) => Promise<T>): Promise<T>
  allOf(record: Pick<OldRecord, 'id'>): Promise<Readonly<Record<string, unknown>>>
  countIdentities(id: string): Promise<number>
  close(): Promise<void>
}

export async function startImportWorld(): Promise<ImportWorld> {
  const database = await createTestDatabase()
  const [host, foreign] = await Promise.all([
    startHipchatHost({ rateLimit: false }),
    startHipchatHost({ rateLimit: false }),
  ])
  const old = await startOldAddon()
  const installed: string[] = []
  const running = await startHipchatApp({ database, hosts: [host] }, app => {
    const addon = app.hipchat({ name: 'Ported', scopes: ['admin_room', 'send_notification'] })
    addon.onInstalled(({ tenant }) => installed.push(tenant.id))
    return addon
  })
  const as: ImportWorld['as'] = ({ id }, work) =>
    running.app.runAs({ dialect: 'hipchat', id }, context => work(running.built.services(context)))
  return {
    database,
    host,
    foreign,
    running,
    installed,
    oldTenant: (roomName, at = host) => old.install(at, at.createGroup({ name: roomName }), roomName),
    run: (dump, options) => importHipchatStore(running.built, memoryStoreSource(dump), options),
    as,
    allOf: record => as(record, async ({ tenantStore }) => ({ ...(await tenantStore.all({ nested: true })) })),
    countIdentities: async id =>
      (await database.admin('select 1 from pw.identity where external_id = $1', [id])).length,
    async close() {
      await running.close()
      await Promise.all([host.close(), foreign.close(), old.close()])
      await database.close()
    },
  }
}

/** What a report says of its only tenant. */
export function onlyTenant({ tenants }: HipchatImportReport): TenantReport {
  assert.equal(tenants.length, 1)
  return tenants[0] ?? assert.fail()
}
