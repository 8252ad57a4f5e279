/**
 * The two forms a builder method takes, made one: a definition with perhaps a handler, or the old library's list of arguments,
 * whose address may be a handler too. Nothing is checked here; `shapes.ts` does that.
 */

import type { GlanceHandler } from '../glance.ts'
import type { PageHandler } from '../pages.ts'
import type {
  ActionDefinition,
  AdminPageDefinition,
  ConfigurableDefinition,
  DialogDefinition,
  DialogOptions,
  ExternalPageDefinition,
  GlanceDefinition,
  Icon,
  Label,
  Target,
  WebPanelDefinition,
} from './definitions.ts'

export interface Said<H> {
  readonly definition: { readonly key?: string; readonly url?: string; readonly queryUrl?: string }
  readonly handler: H | undefined
}

type Page = string | PageHandler

export type GlanceArguments =
  | [definition: GlanceDefinition, handler?: GlanceHandler]
  | [key: string, name: Label, icon: Icon, target: Target, query?: string | GlanceHandler]
export type WebPanelArguments =
  | [definition: WebPanelDefinition, handler?: PageHandler]
  | [key: string, name: Label, location: 'hipchat.sidebar.right', page: Page]
export type DialogArguments =
  | [definition: DialogDefinition, handler?: PageHandler]
  | [key: string, title: Label, page: Page, options?: DialogOptions]
export type ActionArguments =
  | [definition: ActionDefinition]
  | [key: string, name: Label, location: ActionDefinition['location'], target: Target]
export type ExternalPageArguments =
  | [definition: ExternalPageDefinition, handler?: PageHandler]
  | [key: string, name: Label, page: Page]
export type ConfigurableArguments =
  | [definition: ConfigurableDefinition, handler?: PageHandler]
  | [page: Page, allowAccessToRoomAdmins?: boolean]
export type AdminPageArguments = [definition: AdminPageDefinition, handler?: PageHandler] | [page: Page]

export function readGlance(said: GlanceArguments): Said<GlanceHandler> {
  if (!isPositional(said)) return { definition: said[0], handler: said[1] }
  const [key, name, icon, target, query] = said
  const given = { key, name, icon, target }
  if (typeof query !== 'string') return { definition: given, handler: query }
  return { definition: { ...given, queryUrl: query }, handler: undefined }
}

export function readWebPanel(said: WebPanelArguments): Said<PageHandler> {
  if (!isPositional(said)) return { definition: said[0], handler: said[1] }
  const [key, name, location, page] = said
  return withPage({ key, name, location }, page)
}

export function readDialog(said: DialogArguments): Said<PageHandler> {
  if (!isPositional(said)) return { definition: said[0], handler: said[1] }
  const [key, title, page, options] = said
  return withPage({ key, title, options }, page)
}

export function readAction(said: ActionArguments): ActionDefinition {
  if (!isPositional(said)) return said[0]
  const [key, name, location, target] = said
  return { key, name, location, target }
}

export function readExternalPage(said: ExternalPageArguments): Said<PageHandler> {
  if (!isPositional(said)) return { definition: said[0], handler: said[1] }
  const [key, name, page] = said
  return withPage({ key, name }, page)
}

export function readConfigurable(said: ConfigurableArguments): Said<PageHandler> {
  if (isDefinition(said)) return { definition: said[0], handler: said[1] }
  const [page, allowAccessToRoomAdmins] = said
  return withPage(allowAccessToRoomAdmins === undefined ? {} : { allowAccessToRoomAdmins }, page)
}

export function readAdminPage(said: AdminPageArguments): Said<PageHandler> {
  if (isDefinition(said)) return { definition: said[0], handler: said[1] }
  return withPage({}, said[0])
}

const withPage = <D extends object>(definition: D, page: Page): Said<PageHandler> =>
  typeof page === 'string'
    ? { definition: { ...definition, url: page }, handler: undefined }
    : { definition, handler: page }

function isPositional<P extends readonly [string, ...unknown[]], D extends readonly [object, ...unknown[]]>(
  said: P | D,
): said is P {
  return typeof said[0] === 'string'
}

function isDefinition<P extends readonly [Page, ...unknown[]], D extends readonly [object, ...unknown[]]>(
  said: P | D,
): said is D {
  return typeof said[0] === 'object'
}
