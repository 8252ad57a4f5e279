/**
 * The builder's methods for what people see of an add-on: glances, panels, dialogs, actions, pages, commands.
 *
 * Each takes one definition, or the positional form of the old library. Where the host opens a page or asks for content, a handler
 * may be given instead of an address: its route is made here, behind authentication, at a path of kind and key.
 */

import { readPath } from '../../common/settings.ts'
import type { GlanceHandler } from '../glance.ts'
import type { PageHandler } from '../pages.ts'
import type { CapabilityKind, Declarations } from './declarations.ts'
import type {
  ActionDefinition,
  AdminPageDefinition,
  CommandDefinition,
  ConfigurableDefinition,
  DialogDefinition,
  DialogOptions,
  ExternalPageDefinition,
  GlanceDefinition,
  Icon,
  Label,
  OAuth2ConsumerDefinition,
  Target,
  WebPanelDefinition,
} from './definitions.ts'
import {
  type ActionArguments,
  type AdminPageArguments,
  type ConfigurableArguments,
  type DialogArguments,
  type ExternalPageArguments,
  type GlanceArguments,
  readAction,
  readAdminPage,
  readConfigurable,
  readDialog,
  readExternalPage,
  readGlance,
  readWebPanel,
  type Said,
  type WebPanelArguments,
} from './positional.ts'

/** Every method throws PartywallError ERR_DESCRIPTOR_INVALID, which names the field, such as `glance[1].key`. */
export interface CapabilityBuilder<Self> {
  /**
   * Something beside the room's chat that says a few words; a click opens its target.
   * @example addon.glance({ key: 'open', name: 'Open', icon: '/i.png', target: 'list' }, async ctx => ({ label: '<b>5</b> open' }))
   */
  glance(definition: GlanceDefinition, handler?: GlanceHandler): Self
  glance(key: string, name: Label, icon: Icon, target: Target, query?: string | GlanceHandler): Self
  /** A page in the sidebar. */
  webPanel(definition: WebPanelDefinition, handler?: PageHandler): Self
  webPanel(key: string, name: Label, location: 'hipchat.sidebar.right', page: string | PageHandler): Self
  dialog(definition: DialogDefinition, handler?: PageHandler): Self
  dialog(key: string, title: Label, page: string | PageHandler, options?: DialogOptions): Self
  /** An entry in the menu of a message or of the input field. */
  action(definition: ActionDefinition): Self
  action(key: string, name: Label, location: ActionDefinition['location'], target: Target): Self
  /** A page in a tab of its own. */
  externalPage(definition: ExternalPageDefinition, handler?: PageHandler): Self
  externalPage(key: string, name: Label, page: string | PageHandler): Self
  /** The configuration page in the host's administration. */
  configurable(definition: ConfigurableDefinition, handler?: PageHandler): Self
  configurable(page: string | PageHandler, allowAccessToRoomAdmins?: boolean): Self
  /** An entry in the host's administration menu. */
  adminPage(definition: AdminPageDefinition, handler?: PageHandler): Self
  adminPage(page: string | PageHandler): Self
  /** A slash command for the host's completion; answer it with a webhook. */
  command(definition: CommandDefinition): Self
  oauth2Consumer(definition: OAuth2ConsumerDefinition): Self
}

export interface CapabilityBuilderParts<Self> {
  readonly declarations: Declarations
  /** Runs a builder call, or throws when the add-on serves already. */
  change(work: () => void): Self
  /** Make routes at a path below the add-on's prefix. */
  servePage(path: string, handler: PageHandler): void
  serveGlance(path: string, handler: GlanceHandler): void
}

export function createCapabilityBuilder<Self>(parts: CapabilityBuilderParts<Self>): CapabilityBuilder<Self> {
  const { declarations, change } = parts
  const declare = (kind: CapabilityKind, definition: object) =>
    change(() => declarations.declare(kind, definition, 'builder'))
  const declarePage = (kind: CapabilityKind, { definition, handler }: Said<PageHandler>) => {
    if (handler === undefined) return declare(kind, definition)
    return change(() => {
      const path = pathOfHandler(kind, definition, 'url', declarations)
      declarations.declare(kind, { ...definition, url: path }, 'builder')
      parts.servePage(path, handler)
    })
  }
  const declareGlance = ({ definition, handler }: Said<GlanceHandler>) => {
    if (handler === undefined) return declare('glance', definition)
    return change(() => {
      const path = pathOfHandler('glance', definition, 'queryUrl', declarations)
      declarations.declare('glance', { ...definition, queryUrl: path }, 'builder')
      parts.serveGlance(path, handler)
    })
  }
  return {
    glance: (...said: GlanceArguments) => declareGlance(readGlance(said)),
    webPanel: (...said: WebPanelArguments) => declarePage('webPanel', readWebPanel(said)),
    dialog: (...said: DialogArguments) => declarePage('dialog', readDialog(said)),
    action: (...said: ActionArguments) => declare('action', readAction(said)),
    externalPage: (...said: ExternalPageArguments) => declarePage('externalPage', readExternalPage(said)),
    configurable: (...said: ConfigurableArguments) => declarePage('configurable', readConfigurable(said)),
    adminPage: (...said: AdminPageArguments) => declarePage('adminPage', readAdminPage(said)),
    command: definition => declare('command', definition),
    oauth2Consumer: definition => declare('oauth2Consumer', definition),
  }
}

/** The definition's own path, or one made of kind and key. @throws PartywallError ERR_DESCRIPTOR_INVALID when no route can have it */
function pathOfHandler(
  kind: CapabilityKind,
  definition: Said<unknown>['definition'],
  field: 'url' | 'queryUrl',
  declarations: Declarations,
): string {
  const place = declarations.placeOf(kind, definition, 'builder')
  const own = definition[field]
  if (own !== undefined && own !== '') return readPath(own, `${place}.${field}`)
  const { key } = definition
  return key === undefined ? `/addon/${kind}` : readPath(`/addon/${kind}/${key}`, `${place}.key`)
}
