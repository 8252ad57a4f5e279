/** Who hears of an event: webhooks of descriptors, and those that apps made by REST. */

import type { ConnectInstallation } from '../apps/installation.ts'
import { absolute } from '../pages/page-url.ts'
import { fillVariables, variablesOf } from '../pages/variables.ts'
import { subjectOf } from '../query/fields.ts'
import { matchesQuery } from '../query/match.ts'
import type { Product } from '../sites/product.ts'
import type { ConnectState } from '../state.ts'
import type { Place } from '../tokens/claims.ts'
import type { ConnectDelivery } from './delivery.ts'

/** Something that happened in a product. */
export interface HostEvent {
  readonly product: Product
  readonly event: string
  /** Who did it, and where. */
  readonly place: Place
  /** The body, but for time and event. */
  readonly payload: Readonly<Record<string, unknown>>
  /** The same for Forge, which tells texts as documents; left out: the same. */
  readonly forgePayload?: Readonly<Record<string, unknown>>
  /** Id of the Forge app that has done it. */
  readonly causedBy?: string | undefined
}

/** One webhook that is to be told. */
export interface Listener {
  readonly installation: ConnectInstallation
  readonly webhookId: number | undefined
  readonly url: string
  readonly excludeBody: boolean
  /** Properties of the issue that the body shows. */
  readonly propertyKeys: readonly string[]
  readonly flow: 'Primary' | 'Secondary'
  readonly onFailed: (delivery: ConnectDelivery) => void
}

export function listenersOf(state: ConnectState, source: HostEvent): readonly Listener[] {
  return [...source.product.installations.values()]
    .filter(one => one.state === 'enabled')
    .flatMap(installation => [
      ...fromDescriptor(state, installation, source),
      ...madeByRest(state, installation, source),
    ])
}

const fromDescriptor = (state: ConnectState, installation: ConnectInstallation, source: HostEvent): Listener[] =>
  installation.descriptor.webhooks
    .filter(({ event, filter }) => event === source.event && isWanted(state, filter, source))
    .map(({ url, excludeBody, propertyKeys }) => ({
      installation,
      webhookId: undefined,
      url: absolute(installation, fillVariables(url, variablesOf(source.place))),
      excludeBody,
      propertyKeys,
      flow: 'Primary',
      onFailed: () => undefined,
    }))

function madeByRest(state: ConnectState, installation: ConnectInstallation, source: HostEvent): Listener[] {
  const { clock } = state
  return installation.webhooks
    .list(clock.now())
    .filter(({ events, jqlFilter }) => events.includes(source.event) && isWanted(state, jqlFilter, source))
    .map(({ id, url }) => ({
      installation,
      webhookId: id,
      url: fillVariables(url, variablesOf(source.place)),
      excludeBody: false,
      propertyKeys: [],
      flow: 'Primary',
      onFailed: delivery => installation.webhooks.noteFailure(delivery, clock.now()),
    }))
}

const isWanted = ({ clock }: ConnectState, filter: string | undefined, { product, place }: HostEvent): boolean =>
  filter === undefined ||
  matchesQuery(filter, subjectOf(place, product.site), { now: clock.now(), accountId: place.user?.accountId })
