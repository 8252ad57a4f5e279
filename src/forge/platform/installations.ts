/**
 * Installations of one app in one environment: made, found, upgraded, ended. Whoever holds one acts for it: each method binds its
 * context anew, so that an installation that has ended does nothing any more.
 */

import { randomUUID } from 'node:crypto'
import type { TenantContext } from '../../core/context.ts'
import { PartywallError } from '../../core/errors.ts'
import type { TenantUid } from '../../core/ids.ts'
import type { ChangeResult, TenantChange } from '../../core/ports.ts'
import { type IdentityKey, type IdentityRecord, isLive, type JsonObject } from '../../core/tenant.ts'
import { applyUninstall } from '../../dialects/common/lifecycle.ts'
import type { Sandbox } from '../../sandbox/types.ts'
import type { ForgeDeps } from '../create-forge.ts'
import type { ForgeInstallation, InstallSite } from '../forge-types.ts'
import { invokeResolver } from '../invocations/invoke.ts'
import type { InvocationParts } from '../invocations/parts.ts'
import { planSchedules, runSchedule } from '../invocations/schedules.ts'
import { timeoutOf } from '../invocations/timeouts.ts'
import { deliverEvent, tellNow } from '../invocations/triggers.ts'
import type { WebTriggerUrls } from '../invocations/web-trigger-urls.ts'
import type { Manifest } from '../manifest/types.ts'
import { type Environments, newestOf, versionText } from './environments.ts'
import { attributesOf, type InstallationFacts, installationOf, readSite } from './installation.ts'
import type { Versions } from './versions.ts'

export interface InstallationsDeps {
  readonly deps: ForgeDeps
  readonly parts: InvocationParts
  readonly urls: WebTriggerUrls
  readonly environments: Environments
  readonly versions: Versions
  readonly sandbox: Sandbox
  readonly appId: string
  readonly environment: string
  readonly identityKeyOf: (installationId: string) => IdentityKey
  /** Handler of the farewell that tells of the end. */
  readonly uninstallHandler: string
  readonly idle: (tenant: TenantUid) => Promise<void>
  readonly cloudIdOf: (url: string) => string
}

export interface Installations {
  install(site: InstallSite): Promise<ForgeInstallation>
  get(id: string): Promise<ForgeInstallation>
  list(): Promise<readonly ForgeInstallation[]>
  records(): Promise<readonly IdentityRecord[]>
}

const INSTALLED = 'avi:forge:installed:app'
const UPGRADED = 'avi:forge:upgraded:app'
const UNINSTALLED = 'avi:forge:uninstalled:app'
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const PAGE = 500

export function createInstallations(all: InstallationsDeps): Installations {
  const { deps, parts, environments, identityKeyOf } = all
  const { registry, binder, clock } = deps
  deps.handlers.set(all.uninstallHandler, (_, context) => sayFarewell(context, all), 'read-only')

  const records = async () => {
    const { externalId: _, ...group } = identityKeyOf('')
    const found: IdentityRecord[] = []
    for (let after: string | undefined; ; ) {
      const ids = await registry.list(group, { limit: PAGE, ...(after === undefined ? {} : { after }) })
      for (const id of ids.filter(one => UUID.test(one))) {
        const identity = await registry.find(identityKeyOf(id))
        if (identity !== undefined && identity.state !== 'uninstalled') found.push(identity)
      }
      after = ids.at(-1)
      if (ids.length < PAGE) return found
    }
  }

  return {
    records,
    list: async () => (await records()).filter(isLive).map(identity => held(identity, all)),
    async get(id) {
      const identity = UUID.test(id) ? await registry.find(identityKeyOf(id)) : undefined
      if (identity === undefined) throw new PartywallError('ERR_TENANT_UNKNOWN')
      if (!isLive(identity)) throw new PartywallError('ERR_TENANT_DISABLED')
      return held(identity, all)
    },
    async install({ installerAccountId, license, ...given }) {
      const environment = await environments.get(all.appId, all.environment)
      const version = newestOf(environment)
      if (version === undefined) throw new PartywallError('ERR_FORGE_VERSION_MISSING')
      const { manifest } = await all.versions.load(version)
      const site = readSite({ ...given, product: given.product ?? productOf(manifest) }, all.cloudIdOf)
      const change = await registry.apply({
        ...changeOf(
          identityKeyOf(randomUUID()),
          { site, major: version.major, installerAccountId, license },
          clock.now(),
        ),
        expect: 'absent',
      })
      const identity = identityOf(change)
      await binder.run(identity, async context => {
        await planSchedules(context, parts)
        const { id, ...facts } = await lifecycleFacts(context, all)
        const installer: JsonObject = installerAccountId === undefined ? {} : { installerAccountId }
        await deliverEvent(context, { eventType: INSTALLED, id, ...installer, ...facts }, {}, parts)
      })
      return held(identity, all)
    },
  }
}

/** Secrets: none. What an installation may do hangs on the process that acts for it. */
const changeOf = (
  key: IdentityKey,
  facts: InstallationFacts,
  at: number,
): Extract<TenantChange, { kind: 'install' }> => ({
  kind: 'install',
  key,
  at,
  isOrderedByArrival: true,
  reason: 'install',
  host: new URL(facts.site.url).host,
  secrets: {},
  attributes: attributesOf(facts),
  state: 'installed',
})

function identityOf({ identity }: ChangeResult): IdentityRecord {
  if (identity === undefined) throw new PartywallError('ERR_INSTALL_CONFLICT')
  return identity
}

function held({ externalId, tenantUid, attributes }: IdentityRecord, all: InstallationsDeps): ForgeInstallation {
  const { deps, parts, environments, identityKeyOf } = all
  const key = identityKeyOf(externalId)
  const { site } = attributes as unknown as InstallationFacts
  const find = async () => {
    const identity = await deps.registry.find(key)
    if (identity === undefined) throw new PartywallError('ERR_TENANT_UNKNOWN')
    return identity
  }
  const run = async <T>(work: (context: TenantContext) => Promise<T>): Promise<T> => deps.binder.run(await find(), work)
  const manifestOf = async (context: TenantContext) => (await parts.runner.versionOf(context)).manifest

  return {
    id: externalId,
    site,
    version: () => run(async context => (await parts.runner.versionOf(context)).text),
    invoke: (functionKey, payload, options = {}) =>
      run(async context => {
        const environment = await environments.get(all.appId, all.environment)
        return invokeResolver(context, functionKey, payload, options, environment, parts.runner)
      }),
    call: (functionKey, payload) =>
      run(async context =>
        parts.runner.run(context, {
          moduleType: 'function',
          moduleKey: functionKey,
          functionKey,
          payload,
          timeoutMs: timeoutOf(await manifestOf(context), functionKey, 'resolver'),
        }),
      ),
    deliver: (event, facts = {}) => run(context => deliverEvent(context, event, facts, parts)),
    runSchedule: schedule =>
      run(async context => {
        const found = (await manifestOf(context)).scheduledTriggers.find(one => one.key === schedule)
        if (found === undefined) throw unknownModule('scheduled trigger', schedule)
        await runSchedule(context, found, parts)
      }),
    webTriggerUrl: trigger =>
      run(async context => {
        const found = (await manifestOf(context)).webTriggers.some(one => one.key === trigger)
        if (!found) throw unknownModule('web trigger', trigger)
        return (await all.urls.create(context, trigger)).url
      }),
    async upgrade({ accountId } = {}) {
      const identity = await find()
      const version = newestOf(await environments.get(all.appId, all.environment))
      const installation = installationOf(identity)
      if (version === undefined || version.major === installation.major)
        return run(async context => (await parts.runner.versionOf(context)).text)
      const change = {
        ...changeOf(key, { ...installation, major: version.major }, deps.clock.now()),
        reason: 'upgrade',
      }
      const changed = await deps.registry.apply({ ...change, expect: identity.version })
      await changed.settled()
      return deps.binder.run(identityOf(changed), async context => {
        await planSchedules(context, parts)
        const { id, ...facts } = await lifecycleFacts(context, all)
        const upgrader: JsonObject = accountId === undefined ? {} : { upgraderAccountId: accountId }
        await deliverEvent(context, { eventType: UPGRADED, id, ...upgrader, ...facts }, {}, parts)
        return versionText(version)
      })
    },
    async uninstall() {
      await run(context => prepareUninstall(context, all))
      const hasListeners = await run(async context => listensTo(await manifestOf(context), UNINSTALLED))
      await applyUninstall(
        { key, at: deps.clock.now(), isOrderedByArrival: true, reason: 'uninstall' },
        {
          ...deps,
          installHandler: '',
          uninstallHandler: all.uninstallHandler,
          hasInstallListeners: () => false,
          hasUninstallListeners: () => hasListeners,
        },
      )
      await all.sandbox.stopInstance((await find()).uid)
    },
    idle: () => all.idle(tenantUid),
  }
}

/** The app may tidy up while it still can; what goes wrong there keeps nobody from leaving. */
async function prepareUninstall(context: TenantContext, { parts }: InstallationsDeps): Promise<void> {
  const { manifest } = await parts.runner.versionOf(context)
  const { cloudId } = installationOf(context.identity).site
  for (const { key, target } of manifest.preUninstalls) {
    if (!('functionKey' in target)) continue
    try {
      await parts.runner.run(context, {
        moduleType: 'preUninstall',
        moduleKey: key,
        functionKey: target.functionKey,
        payload: { context: { cloudId, moduleKey: key }, contextToken: '' },
        timeoutMs: timeoutOf(manifest, target.functionKey, 'preUninstall'),
      })
    } catch (error) {
      parts.logger.warn('forge-pre-uninstall-failed', { tenant: context.identity.externalId, module: key, error })
    }
  }
}

/** After the end: the app hears of it and can do nothing more. */
async function sayFarewell(context: TenantContext, all: InstallationsDeps): Promise<void> {
  const { id, ...facts } = await lifecycleFacts(context, all)
  await tellNow(context, { eventType: UNINSTALLED, id, ...facts }, all.parts)
}

async function lifecycleFacts(context: TenantContext, { environments, appId, environment, parts }: InstallationsDeps) {
  const { id } = await environments.get(appId, environment)
  const { text, manifest } = await parts.runner.versionOf(context)
  return {
    id: `ari:cloud:ecosystem::installation/${context.identity.externalId}`,
    app: {
      id: `ari:cloud:ecosystem::app/${appId}`,
      version: text,
      ...(manifest.name === undefined ? {} : { name: manifest.name }),
    },
    environment: { id: `ari:cloud:ecosystem::environment/${appId}/${id}` },
  }
}

const listensTo = ({ triggers }: Manifest, eventType: string): boolean =>
  triggers.some(({ events }) => events.some(one => one.eventType === eventType))

/** Where the app shows itself; else whose events it hears; else whose scopes it asks for. Jira, where it is at home in several. */
function productOf({ uiModules, triggers, permissions }: Manifest): 'jira' | 'confluence' | 'bitbucket' {
  const groups = [
    uiModules.map(({ type }) => type),
    triggers.flatMap(({ events }) => events.map(({ eventType }) => eventType)),
    permissions.scopes,
  ]
  for (const words of groups) {
    const some = (pattern: RegExp) => words.some(word => pattern.test(word))
    if (some(/jira|servicedesk/i)) return 'jira'
    if (some(/confluence|^macro$/i)) return 'confluence'
    if (some(/bitbucket/i)) return 'bitbucket'
  }
  return 'jira'
}

const unknownModule = (what: string, key: string): PartywallError =>
  new PartywallError('ERR_FORGE_MODULE_UNKNOWN', { message: `the manifest has no ${what} ${JSON.stringify(key)}` })
