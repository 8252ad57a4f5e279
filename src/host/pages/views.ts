/** Pages of add-ons that users have open, by an id that nobody can guess. */

import type { Installation, TokenSubject } from '../clients/installation.ts'
import type { HistoryItem } from '../model.ts'
import { keepNewest } from '../newest.ts'
import type { HostRandom } from '../random.ts'

export interface View {
  readonly installation: Installation
  readonly subject: TokenSubject
  readonly kind: 'configurable' | 'adminPage' | 'webPanel' | 'dialog' | 'externalPage'
  /** `undefined` for the pages without one. */
  readonly key: string | undefined
  readonly title: string
  /** The add-on's page, without a token. */
  readonly address: string
  readonly theme: 'light' | 'dark'
  /** A dialog's, and those of the target that led here. */
  readonly options: Readonly<Record<string, unknown>>
  readonly event: ViewEvent | undefined
}
/** What the page's `HipChat.register` handlers hear: an action's key, and the message it was chosen on. */
export interface ViewEvent {
  readonly name: string
  readonly message: HistoryItem | undefined
}

/** @typeParam V an open page of this kind of host */
export interface ViewTable<V extends { readonly installation: unknown } = View> {
  /** @returns the id */
  add(view: V): string
  find(id: string): V | undefined
  dropAll(installation: V['installation']): void
}

const MAX_VIEWS = 1_000

/** Keeps the newest 1,000. */
export function createViews<V extends { readonly installation: unknown } = View>(random: HostRandom): ViewTable<V> {
  const views = new Map<string, V>()
  return {
    add: view => {
      const id = random.text(32)
      keepNewest(views, id, view, MAX_VIEWS)
      return id
    },
    find: id => views.get(id),
    dropAll: installation => {
      for (const [id, view] of views) if (view.installation === installation) views.delete(id)
    },
  }
}
