/** What the add-on does when a case asks it to: one method of a service, or a task of several steps. */

import type { HipchatTenant, TenantStore } from 'partywall'

interface Service {
  readonly [method: string]: unknown
  narrow?(scope: string): Service
}

/** What stands on the context behind `authenticate()`. */
export interface Services {
  readonly tenant: Pick<HipchatTenant, 'id'>
  readonly authentication: { readonly userId: string | undefined; readonly token: string }
  readonly tenantStore: TenantStore
  readonly tenantWebhooks: { add(event: string, pattern: RegExp): Promise<unknown> }
  readonly roomClient: unknown
  readonly tenantClient: unknown
}

export interface Call {
  readonly on: 'tenantStore' | 'tenantClient' | 'roomClient' | 'tenantWebhooks'
  readonly narrow?: readonly string[]
  /** `typeof` tells what the member named by the first argument is. */
  readonly method: string
  readonly args: readonly unknown[]
}

export async function call(services: Services, { on, narrow = [], method, args }: Call): Promise<unknown> {
  let service = services[on] as Service
  for (const scope of narrow) service = service.narrow?.(scope) ?? service
  if (method === 'typeof') return typeof service[String(args[0])]
  return (service[method] as (...given: readonly unknown[]) => unknown)(...args)
}

export const TASKS: Readonly<Record<string, (services: Services) => Promise<unknown>>> = {
  async count({ tenantStore }) {
    const visit = () => tenantStore.update<number>('visits', (count = 0) => count + 1)
    await Promise.all(Array.from({ length: 10 }, visit))
    return tenantStore.get('visits')
  },
  async keep({ tenantStore }) {
    const value = { n: 1 }
    const setting = tenantStore.set('kept', value)
    await setting
    value.n = 2
    return tenantStore.get('kept')
  },
  shout: async ({ tenantWebhooks }) => tenantWebhooks.add('room_message', /^\/shout/im),
}

export const outcome = async (work: Promise<unknown> | undefined): Promise<object> => {
  try {
    return { value: await work }
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) }
  }
}
