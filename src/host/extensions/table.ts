/** Extensions that add-ons registered over REST: for one room, or wherever the installation reaches. */

import type { Installation } from '../clients/installation.ts'
import type { HostRoom } from '../model.ts'
import type { Extension, ExtensionKind } from './extension.ts'

export interface Registration {
  readonly installation: Installation
  /** `undefined`: registered globally. */
  readonly room: HostRoom | undefined
  readonly extension: Extension
}
/** Which registration is meant. */
export interface Place {
  readonly installation: Installation
  readonly room: HostRoom | undefined
  readonly kind: ExtensionKind
  readonly key: string
}

export interface ExtensionTable {
  list(installation: Installation): readonly Registration[]
  /** Replaces one at the same place. @returns why it cannot be; `undefined` when done */
  put(registration: Registration): 'descriptor-key' | 'too-many' | undefined
  /** @returns false when there is none */
  remove(place: Place): boolean
  dropAll(installation: Installation): void
}

/** Per kind and place. */
export const MAX_DYNAMIC = 10

export function createExtensionTable(): ExtensionTable {
  const byInstallation = new Map<Installation, Registration[]>()
  const listOf = (installation: Installation) => byInstallation.get(installation) ?? []
  const without = (place: Place) => listOf(place.installation).filter(one => !isAt(one, place))
  return {
    list: listOf,
    put: registration => {
      const { installation, room, extension } = registration
      const { kind, key } = extension
      const isStatic = installation.descriptor.extensions.some(one => one.kind === kind && one.key === key)
      if (isStatic) return 'descriptor-key'
      const others = without({ installation, room, kind, key })
      const same = others.filter(one => one.room === room && one.extension.kind === kind)
      if (same.length >= MAX_DYNAMIC) return 'too-many'
      byInstallation.set(installation, [...others, registration])
      return undefined
    },
    remove: place => {
      const others = without(place)
      const isThere = others.length < listOf(place.installation).length
      byInstallation.set(place.installation, others)
      return isThere
    },
    dropAll: installation => void byInstallation.delete(installation),
  }
}

const isAt = ({ room, extension }: Registration, place: Place): boolean =>
  room === place.room && extension.kind === place.kind && extension.key === place.key
