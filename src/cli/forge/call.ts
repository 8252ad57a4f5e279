/** One call of `partywall forge invoke`: what it may say, and how it is made in a world. */

import { PartywallError } from '../../core/errors.ts'
import type { JsonObject, JsonValue } from '../../core/tenant.ts'
import type { ForgeWorld, Tenant } from './world.ts'

export const KINDS = ['resolver', 'function', 'webtrigger', 'schedule', 'event'] as const

export interface WantedCall {
  readonly tenant: string
  readonly kind: (typeof KINDS)[number]
  /** Function of the resolver, or key in the manifest, or type of the event. */
  readonly name: string
  readonly payload?: JsonValue
  readonly module?: string
  /** Over what the tenant's first issue and page give. */
  readonly extension?: JsonObject
  /** Nobody is signed in. */
  readonly isAnonymous?: boolean
}

/** @throws ERR_CONFIG there is no such tenant · what the call throws */
export async function makeCall(world: ForgeWorld, call: WantedCall): Promise<JsonValue | undefined> {
  const tenant = world.tenants.find(({ name }) => name === call.tenant)
  if (tenant === undefined) {
    const names = world.tenants.map(({ name }) => name).join(', ')
    throw new PartywallError('ERR_CONFIG', { message: `there is no tenant ${call.tenant}, there are ${names}` })
  }
  const value = await runCall(tenant, call)
  await tenant.installation.idle()
  return value
}

async function runCall(tenant: Tenant, call: WantedCall): Promise<JsonValue | undefined> {
  const { installation, accountId } = tenant
  switch (call.kind) {
    case 'resolver':
      return installation.invoke(call.name, call.payload, {
        extension: { ...extensionOf(tenant), ...call.extension },
        ...(call.isAnonymous === true ? {} : { accountId }),
        ...(call.module === undefined ? {} : { module: call.module }),
      })
    case 'function':
      return installation.call(call.name, call.payload ?? {})
    case 'schedule':
      await installation.runSchedule(call.name)
      return { ran: call.name }
    case 'event':
      return { told: await installation.deliver({ ...(call.payload as JsonObject), eventType: call.name }) }
    case 'webtrigger': {
      const body = typeof call.payload === 'string' ? call.payload : JSON.stringify(call.payload ?? {})
      const answer = await fetch(await installation.webTriggerUrl(call.name), { method: 'POST', body })
      return { status: answer.status, body: await answer.text() }
    }
  }
}

/** As an issue's panel and a page's macro have it. */
const extensionOf = ({ issueKey, pageId, site }: Tenant): JsonObject => ({
  issue: { id: site.findIssue(issueKey)?.id ?? '', key: issueKey, type: 'Task', typeId: '10001' },
  project: { id: site.projects.get('DEV')?.id ?? '', key: 'DEV', type: 'software' },
  content: { id: pageId, type: 'page' },
  space: { id: site.spaces.get('DEV')?.id ?? '', key: 'DEV' },
})
