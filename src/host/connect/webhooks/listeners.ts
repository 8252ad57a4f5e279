/** Who hears of an event: webhooks of descriptors, and those that apps made by REST. */

import type { ConnectInstallation } from '../apps/installation.ts'
import { absolute } from '../pages/page-url.ts'
import { fillVariables, variablesOf } from '../pages/variables.ts'
import type { Product } from '../sites/product.ts'
import type { ConnectState } from '../state.ts'
import type { Place } from '../tokens/claims.ts'
import type { ConnectDelivery } from './delivery.ts'
import { fieldsOf } from './fields.ts'
import { matchesQuery } from './query.ts'
import type { ConnectWebhookSpec } from './webhook.ts'

/** Something that happened in a product. */
export interface HostEvent {
  readonly product: Product
  readonly event: string
  /** Who did it, and where. */
  readonly place: Place
  /** The body, but for time and event. */
  readonly payload: Readonly<Record<string, unknown>>
}

/** One webhook that is to be told. */
export interface Listener {
  readonly installation: ConnectInstallation
  readonly webhookId: number | undefined
  readonly url: string
  readonly excludeBody: boolean
  readonly flow: 'Primary' | 'Secondary'
  readonly onFailed: (delivery: ConnectDelivery) => void
}

export function listenersOf(_state: ConnectState, source: HostEvent): readonly Listener[] {
  return [...source.product.installations.values()]
    .filter(({ state }) => state === 'enabled')
    .flatMap(installation => fromDescriptor(installation, source))
}

const fromDescriptor = (installation: ConnectInstallation, source: HostEvent): Listener[] =>
  installation.descriptor.webhooks
    .filter(webhook => webhook.event === source.event && isWanted(webhook, source))
    .map(({ url, excludeBody }) => ({
      installation,
      webhookId: undefined,
      url: absolute(installation, fillVariables(url, variablesOf(source.place))),
      excludeBody,
      flow: 'Primary',
      onFailed: () => undefined,
    }))

const isWanted = ({ filter }: ConnectWebhookSpec, { place }: HostEvent): boolean =>
  filter === undefined || matchesQuery(filter, fieldsOf(place))
