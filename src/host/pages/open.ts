/** Opens an add-on's page as a user does: from the administration, the sidebar, a glance, or an action on a message. */

import type { Installation, PageOptions } from '../clients/installation.ts'
import type { Target, ViewExtension } from '../extensions/extension.ts'
import { findExtension, findView } from '../extensions/find.ts'
import type { HistoryItem, HostRoom } from '../model.ts'
import type { HostState } from '../state.ts'
import type { View, ViewEvent } from './views.ts'

export type Opening =
  | { readonly kind: 'configurable' | 'adminPage' }
  | { readonly kind: 'webPanel' | 'dialog' | 'externalPage' | 'glance'; readonly key: string }
  | { readonly kind: 'action'; readonly key: string; readonly message?: HistoryItem }

export interface OpenedPage extends Pick<View, 'kind' | 'key' | 'options' | 'event'> {
  /** The add-on's page, with `signed_request` and `theme`; for `fetch`. */
  readonly url: string
  /** The host's page that shows it in a frame, with the bridge; for a browser. */
  readonly frameUrl: string
}

/** @throws TypeError when the add-on has nothing of this kind and key here, or when it opens nothing */
export function open(
  state: HostState,
  installation: Installation,
  opening: Opening,
  options: PageOptions = {},
): OpenedPage {
  const { theme = 'light', xdmhost, ...subject } = options
  const room = subject.room ?? installation.room
  const view: View = { installation, subject, theme, ...find(state, installation, room, opening) }
  const { kind, key, event } = view
  return {
    kind,
    key,
    event,
    options: view.options,
    url: installation.pageUrl(view.address, options),
    frameUrl: `${state.url}/addons/frame?view=${state.views.add(view)}`,
  }
}

type Found = Omit<View, 'installation' | 'subject' | 'theme'>

function find(state: HostState, installation: Installation, room: HostRoom | undefined, opening: Opening): Found {
  if (!('key' in opening)) return adminView(installation, opening.kind)
  const extension = findExtension(state, installation, room, opening.kind, opening.key)
  if (extension.kind !== 'glance' && extension.kind !== 'action') return toView(extension, undefined, undefined)
  const target = extension.target
  const view = target === undefined ? undefined : findView(state, installation, room, target.key)
  if (view === undefined) throw new TypeError(`the ${extension.kind} ${extension.key} opens nothing here`)
  const event = opening.kind === 'action' ? { name: extension.key, message: opening.message } : undefined
  return toView(view, target, event)
}

function adminView({ descriptor }: Installation, kind: 'configurable' | 'adminPage'): Found {
  const address = kind === 'configurable' ? descriptor.configurableUrl : descriptor.adminPageUrl
  if (address === undefined) throw new TypeError(`the add-on has no ${kind}`)
  return { kind, key: undefined, title: descriptor.name, address, options: {}, event: undefined }
}

const toView = (view: ViewExtension, target: Target | undefined, event: ViewEvent | undefined): Found => ({
  kind: view.kind,
  key: view.key,
  title: view.name,
  address: view.url,
  options: { ...view.options, ...target?.options },
  event,
})
