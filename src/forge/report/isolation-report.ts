/**
 * The isolation report: the same calls for two installations, once in shared processes as the original platform has them and once in
 * processes of their own; then where each one's texts are found. Every text that a tenant brings is marked, so that what is found says
 * whose it is.
 */

import { randomBytes } from 'node:crypto'
import path from 'node:path'
import type { TenantContext } from '../../core/context.ts'
import { isPartywallError, PartywallError } from '../../core/errors.ts'
import type { JsonObject, JsonValue } from '../../core/tenant.ts'
import type { BoundPool, Statement } from '../../postgres/database.ts'
import type { IsolationPolicy, Program, Sandbox } from '../../sandbox/types.ts'
import type { ForgeApp, ForgeInstallation } from '../forge-types.ts'
import type { ForgeEvent } from '../invocations/triggers.ts'
import { readDeclarations } from './declarations.ts'
import type { FoundPlace } from './search-state.ts'

/** One call of the report. `{{tenant}}` in a text becomes the mark of the tenant that makes the call. */
export type ReportCall =
  | { readonly invoke: string; readonly payload?: JsonValue; readonly module?: string; readonly extension?: JsonObject }
  | { readonly function: string; readonly payload: JsonValue }
  | { readonly event: ForgeEvent }
  | { readonly schedule: string }
  | { readonly webTrigger: string; readonly body: string }

/** Something of one tenant where another one's call can meet it. */
export interface Leak {
  readonly kind: FoundPlace['kind'] | 'stored value' | 'answer'
  /** Name of the variable, the file, the stored key, the call. */
  readonly name: string
  /** Where inside it: `[0].text`. */
  readonly at: string
  /** File and line of the app that declares the variable, as far as the source map knows. */
  readonly source: string | undefined
}

export interface PolicyReport {
  readonly policy: IsolationPolicy
  /** Variables, files and answers, each once, those of variables first. */
  readonly leaks: readonly Leak[]
  /** Calls that failed, with their reason: what they would have left behind is not known. */
  readonly failures: readonly string[]
}

export interface IsolationReport {
  /** One process for all: what the app keeps that it should not. */
  readonly shared: PolicyReport
  /** A process for each: must be empty of leaks. */
  readonly installation: PolicyReport
}

/** A Forge app that was built for the report, and the ways into it that only the report has. */
export interface ReportedApp {
  readonly app: ForgeApp
  /** File of the bundle. */
  readonly bundle: string
  readonly search: (installation: ForgeInstallation, markers: readonly string[]) => Promise<readonly FoundPlace[]>
  readonly run: <T>(installation: ForgeInstallation, work: (context: TenantContext) => Promise<T>) => Promise<T>
}

interface Tenant {
  readonly marker: string
  readonly installation: ForgeInstallation
  /** Texts that only this tenant could have brought. */
  readonly markers: readonly string[]
}

const ROUNDS = 2
const STORED: Statement = { name: 'forge_report_stored', text: 'select space, key, value from pw.forge_value' }

/** @param open  makes the app ready under a policy */
export async function reportIsolation(
  calls: readonly ReportCall[],
  open: (policy: IsolationPolicy) => Promise<ReportedApp>,
  pool: BoundPool,
): Promise<IsolationReport> {
  return {
    shared: await reportPolicy('shared', calls, await open('shared'), pool),
    installation: await reportPolicy('installation', calls, await open('installation'), pool),
  }
}

async function reportPolicy(
  policy: IsolationPolicy,
  calls: readonly ReportCall[],
  reported: ReportedApp,
  pool: BoundPool,
): Promise<PolicyReport> {
  const tenants = [await createTenant(reported.app, 'a'), await createTenant(reported.app, 'b')] as const
  const [one, other] = tenants
  try {
    const failures: string[] = []
    const answers: { readonly tenant: Tenant; readonly call: string; readonly text: string }[] = []
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const call of calls) {
        for (const tenant of tenants) {
          try {
            const value = await makeCall(tenant, call, reported.app)
            answers.push({ tenant, call: nameOf(call), text: JSON.stringify(value ?? null) })
          } catch (error) {
            if (!isPartywallError(error)) throw error
            failures.push(`${nameOf(call)}: ${error.code} ${error.message}`)
          }
        }
      }
    }
    await reported.app.idle()
    const declarationOf = await readDeclarations(reported.bundle)
    const inMemory = [
      ...(await placesOf(one, policy === 'shared' ? [...one.markers, ...other.markers] : other.markers, reported)),
      ...(await placesOf(other, policy === 'shared' ? [] : one.markers, reported)),
    ].map(({ kind, name, at }): Leak => {
      const declaration = kind === 'variable' ? declarationOf(name) : undefined
      return { kind, name, at, source: declaration && `${declaration.file}:${declaration.line}` }
    })
    const answered = answers.flatMap(({ tenant, call, text }) =>
      hasAny(text, otherOf(tenant, tenants).markers)
        ? [{ kind: 'answer', name: call, at: '', source: undefined } satisfies Leak]
        : [],
    )
    const stored = await Promise.all(
      tenants.map(tenant => storedLeaks(tenant, otherOf(tenant, tenants), reported, pool)),
    )
    return { policy, leaks: distinct([...inMemory, ...stored.flat(), ...answered]), failures: [...new Set(failures)] }
  } finally {
    for (const { installation } of tenants) await installation.uninstall()
  }
}

async function createTenant(app: ForgeApp, name: string): Promise<Tenant> {
  const marker = `tenant-${name}-${randomBytes(6).toString('hex')}`
  const installation = await app.install({
    url: `https://${marker}.example.com`,
    installerAccountId: `account-${marker}`,
  })
  await app.idle()
  return { marker, installation, markers: [marker, installation.id, installation.site.cloudId] }
}

async function makeCall(
  { marker, installation }: Tenant,
  call: ReportCall,
  app: ForgeApp,
): Promise<JsonValue | undefined> {
  const marked = <T extends JsonValue>(value: T): T =>
    JSON.parse(JSON.stringify(value).replaceAll('{{tenant}}', marker)) as T
  if ('invoke' in call) {
    return installation.invoke(call.invoke, marked(call.payload ?? { text: '{{tenant}}' }), {
      accountId: `account-${marker}`,
      extension: marked(call.extension ?? { issue: { key: '{{tenant}}' } }),
      ...(call.module === undefined ? {} : { module: call.module }),
    })
  }
  if ('function' in call) return installation.call(call.function, marked(call.payload))
  if ('schedule' in call) return installation.runSchedule(call.schedule).then(() => null)
  if ('event' in call) {
    await installation.deliver(marked(call.event))
    await app.idle()
    return null
  }
  const body = call.body.replaceAll('{{tenant}}', marker)
  const answer = await fetch(await installation.webTriggerUrl(call.webTrigger), { method: 'POST', body })
  return answer.text()
}

/** Asks the process that an installation's next call would get. */
export const createSearch =
  (sandbox: Sandbox, program: Program, policy: IsolationPolicy, run: ReportedApp['run']): ReportedApp['search'] =>
  (installation, markers) =>
    run(installation, async ({ identity }) => {
      const found = await sandbox.call({
        program,
        instance: identity.uid,
        policy,
        payload: { search: { markers } },
        onRequest: () => Promise.reject(new PartywallError('ERR_FORGE_GUEST')),
        onLog: () => undefined,
      })
      return found as unknown as readonly FoundPlace[]
    })

const nameOf = (call: ReportCall): string =>
  'invoke' in call
    ? `invoke ${call.invoke}`
    : 'function' in call
      ? `function ${call.function}`
      : 'schedule' in call
        ? `schedule ${call.schedule}`
        : 'event' in call
          ? `event ${call.event.eventType}`
          : `web trigger ${call.webTrigger}`

async function placesOf(
  { installation }: Tenant,
  markers: readonly string[],
  { search, bundle }: ReportedApp,
): Promise<readonly FoundPlace[]> {
  if (markers.length === 0) return []
  const declarationOf = await readDeclarations(bundle)
  const found = await search(installation, markers)
  // What the platform's own guest keeps, it keeps of the call that runs.
  return found.filter(({ kind, name }) => kind !== 'variable' || !OWN_FILES.test(declarationOf(name)?.file ?? ''))
}

const OWN_FILES = /(?:^|\/)forge\/(?:guest|report)\/[\w-]+\.[tj]s$/

async function storedLeaks(
  { installation }: Tenant,
  other: Tenant,
  { run }: ReportedApp,
  pool: BoundPool,
): Promise<readonly Leak[]> {
  const rows = await run(installation, ({ tenantUid }) => pool.query(tenantUid, STORED, []))
  return rows.flatMap(([space, key, value]) =>
    hasAny(`${key} ${value}`, other.markers)
      ? [{ kind: 'stored value', name: `${space} ${key}`, at: '', source: undefined } satisfies Leak]
      : [],
  )
}

const hasAny = (text: string, markers: readonly string[]): boolean => markers.some(marker => text.includes(marker))
const otherOf = (tenant: Tenant, [one, other]: readonly [Tenant, Tenant]): Tenant => (tenant === one ? other : one)

/** The same place is met in each round and by each tenant; the index in a list says no more than the list. */
function distinct(leaks: readonly Leak[]): readonly Leak[] {
  const found = new Map<string, Leak>()
  for (const leak of leaks) {
    const at = leak.at.replace(/\[\d+\]/g, '[]')
    const name = leak.name.replaceAll(path.sep, '/')
    found.set(`${leak.kind} ${name} ${at}`, { ...leak, name, at })
  }
  return [...found.values()]
}

/** What can be called without knowing the app: everything that its manifest names. */
export function callsOf({ manifest }: Pick<ForgeApp, 'manifest'>): readonly ReportCall[] {
  const { webTriggers, scheduledTriggers, triggers } = manifest
  return [
    ...webTriggers.map(({ key }): ReportCall => ({ webTrigger: key, body: '{"text":"{{tenant}}"}' })),
    ...scheduledTriggers.map(({ key }): ReportCall => ({ schedule: key })),
    ...[...new Set(triggers.flatMap(({ events }) => events.map(({ eventType }) => eventType)))]
      .filter(eventType => !eventType.startsWith('avi:forge:'))
      .map((eventType): ReportCall => ({ event: { eventType, ...EVENT } })),
  ]
}

const EVENT: JsonObject = {
  atlassianId: 'account-{{tenant}}',
  issue: { id: '10001', key: 'KEY-1', fields: { summary: '{{tenant}}' } },
  content: { id: '10001', type: 'page', title: '{{tenant}}', space: { key: 'KEY' } },
}
