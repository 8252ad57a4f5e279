/** The newest content of every glance, by whom it is for. */

import type { Installation } from '../clients/installation.ts'
import type { HostRoom, HostUser } from '../model.ts'
import type { GlanceContent } from './content.ts'

/** Where content counts: left out means everywhere, or for everybody. */
export interface Audience {
  readonly room?: HostRoom | undefined
  readonly user?: HostUser | undefined
}

export interface GlanceTable {
  set(installation: Installation, key: string, audience: Audience, content: GlanceContent): void
  /** What this user sees in this room: the newest of all that is for them. */
  newest(installation: Installation, key: string, viewer: Audience): GlanceContent | undefined
  dropAll(installation: Installation): void
}

interface Entry {
  readonly key: string
  readonly audience: Audience
  readonly content: GlanceContent
}

export function createGlanceTable(): GlanceTable {
  /** Oldest first; one entry per key and audience. */
  const byInstallation = new Map<Installation, readonly Entry[]>()
  const listOf = (installation: Installation) => byInstallation.get(installation) ?? []
  return {
    set: (installation, key, audience, content) => {
      const others = listOf(installation).filter(
        one => one.key !== key || one.audience.room !== audience.room || one.audience.user !== audience.user,
      )
      byInstallation.set(installation, [...others, { key, audience, content }])
    },
    newest: (installation, key, viewer) =>
      listOf(installation).findLast(one => one.key === key && isFor(one.audience, viewer))?.content,
    dropAll: installation => void byInstallation.delete(installation),
  }
}

const isFor = ({ room, user }: Audience, viewer: Audience): boolean =>
  (room === undefined || room === viewer.room) && (user === undefined || user === viewer.user)
