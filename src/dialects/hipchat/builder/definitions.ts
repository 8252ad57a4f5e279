/**
 * What an author may write about each capability of an add-on (protocol A2). Types only; `shapes.ts` checks the same at run time.
 *
 * Names are as on the wire. A text stands for `{ value }` where the host shows it, and for both resolutions of an icon. Addresses
 * are relative to the add-on's base URL, or absolute.
 */

import type { JsonValue } from '../../../core/tenant.ts'

/** A text people read, 1 to 100 characters; `i18n` (1 to 40) is the host's key of its translation. */
export type Label = string | { readonly value: string; readonly i18n?: string }
/** Left out, `url@2x` is the same picture. */
export type Icon = string | { readonly url: string; readonly 'url@2x'?: string }
/** Key of the dialog, panel or page that opens. */
export type Target = string | { readonly key: string; readonly options?: Readonly<Record<string, JsonValue>> }

/** When the host shows something. Identifiers the protocol does not know are refused. */
export type Condition =
  | {
      readonly condition: string
      readonly invert?: boolean
      readonly params?: Readonly<Record<string, JsonValue>>
    }
  | { readonly type: 'and' | 'or'; readonly conditions: readonly Condition[] }

interface Keyed {
  /** 1 to 40 characters, unique among its kind. */
  readonly key: string
}
interface Weighted {
  /** Position among others of its kind, an integer; the host takes 100 when it is left out. */
  readonly weight?: number
}

export interface GlanceDefinition extends Keyed, Weighted {
  readonly name: Label
  readonly icon: Icon
  /** Where the host's page asks for the content, on the add-on's own origin; left out: content is only pushed. */
  readonly queryUrl?: string
  readonly target?: Target
  readonly conditions?: readonly Condition[]
}

export interface WebPanelDefinition extends Keyed, Weighted {
  readonly name: Label
  /** Default `hipchat.sidebar.right`, the only one. */
  readonly location?: 'hipchat.sidebar.right'
  /** On the add-on's own origin; needed unless a handler is given. */
  readonly url?: string
  readonly icon?: Icon
}

export interface DialogButton {
  readonly key?: string
  readonly name: Label
  readonly enabled?: boolean
}

export interface DialogOptions {
  readonly style?: 'normal' | 'warning'
  readonly primaryAction?: DialogButton
  readonly secondaryActions?: readonly DialogButton[]
  /** Texts in px or %: `{ width: '400px', height: '60%' }`. */
  readonly size?: { readonly width: string; readonly height: string }
  readonly hint?: Label
  readonly filter?: { readonly placeholder: Label }
}

export interface DialogDefinition extends Keyed {
  readonly title: Label
  /** On the add-on's own origin; needed unless a handler is given. */
  readonly url?: string
  readonly options?: DialogOptions
}

export type ActionLocation = 'hipchat.message.action' | 'hipchat.input.action'

export interface ActionDefinition extends Keyed, Weighted {
  readonly name: Label
  readonly location: ActionLocation
  readonly target: Target
  readonly conditions?: readonly Condition[]
}

export interface ExternalPageDefinition extends Keyed {
  readonly name: Label
  /** On the add-on's own origin, since the host adds the tenant's token; needed unless a handler is given. */
  readonly url?: string
}

export interface AdminPageDefinition {
  /** On the add-on's own origin; needed unless a handler is given. */
  readonly url?: string
}

export interface ConfigurableDefinition extends AdminPageDefinition {
  /** Also those who administrate only the room. */
  readonly allowAccessToRoomAdmins?: boolean
}

/** A slash command for the host's completion; what it does is a webhook's matter. */
export interface CommandDefinition {
  /** A slash, then small letters, `_` and `-`. */
  readonly name: string
  readonly description: string
  readonly usage?: string
  readonly aliases?: readonly string[]
}

export interface OAuth2ConsumerDefinition {
  /** At least one; relative to the add-on's base URL, or anywhere. */
  readonly redirectionUrls: readonly string[]
}
