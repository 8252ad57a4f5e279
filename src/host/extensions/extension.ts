/** What an add-on puts into the host's pages, by key. Configuration and administration pages have no key and stand in the descriptor. */

export const EXTENSION_KINDS = ['action', 'dialog', 'externalPage', 'glance', 'webPanel'] as const
export type ExtensionKind = (typeof EXTENSION_KINDS)[number]

interface Common {
  /** 1 to 40 characters. */
  readonly key: string
  readonly name: string
  /** Default 100; the lighter, the further up. */
  readonly weight: number
  /** The document as it came. */
  readonly document: Readonly<Record<string, unknown>>
}

export interface Target {
  readonly key: string
  readonly options: Readonly<Record<string, unknown>> | undefined
}
export interface GlanceExtension extends Common {
  readonly kind: 'glance'
  readonly queryUrl: string | undefined
  /** What opens when it is clicked. */
  readonly target: Target | undefined
}
export interface ActionExtension extends Common {
  readonly kind: 'action'
  readonly location: 'hipchat.message.action' | 'hipchat.input.action'
  readonly target: Target
}
/** What has a page of its own. */
export interface ViewExtension extends Common {
  readonly kind: 'webPanel' | 'dialog' | 'externalPage'
  readonly url: string
  /** A dialog's size, buttons and so on. */
  readonly options: Readonly<Record<string, unknown>> | undefined
}
export type Extension = GlanceExtension | ActionExtension | ViewExtension
