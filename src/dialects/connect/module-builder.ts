/** The modules that an author declares call by call, each with the handler that answers its address. */

import type { JsonObject, JsonValue } from '../../core/tenant.ts'
import { frozenJson } from '../common/frozen-json.ts'
import { invalidDescriptor } from '../common/settings.ts'
import { checkModule } from './modules.ts'
import type { PageHandler } from './pages.ts'

/** A module as the product documents it; `name` may be a text, `url` is made of the key where there is a handler. */
export interface ModuleDefinition {
  readonly key: string
  readonly name?: string | JsonObject
  /** Below the base URL; may hold the product's `{variables}`. */
  readonly url?: string
  /** The product asks without any token and may keep the page, which is the same for everybody. */
  readonly cacheable?: boolean
  readonly [field: string]: JsonValue | undefined
}

/** Short forms of `module(kind, ...)`; each puts a module of one kind into the descriptor. */
export const SHORT_FORMS = {
  generalPage: 'generalPages',
  adminPage: 'adminPages',
  configurePage: 'configurePage',
  webPanel: 'webPanels',
  webItem: 'webItems',
  dialog: 'dialogs',
  issuePanel: 'jiraIssueContents',
  issueGlance: 'jiraIssueGlances',
  dashboardItem: 'jiraDashboardItems',
  projectPage: 'jiraProjectPages',
  dynamicMacro: 'dynamicContentMacros',
  staticMacro: 'staticContentMacros',
} as const
type ShortForm = keyof typeof SHORT_FORMS

/** The page or panel stands in `target`, not in the module itself. */
const WITH_TARGET: readonly string[] = ['jiraIssueContents', 'jiraIssueGlances']
/** One module, not a list. */
const SINGLE: readonly string[] = ['configurePage', 'postInstallPage', 'postUpdatePage', 'jiraBackgroundScripts']

type Declare<A> = (definition: ModuleDefinition, handler?: PageHandler) => A
export type ModuleBuilder<A> = { readonly [name in ShortForm]: Declare<A> } & {
  /**
   * Puts a module into the descriptor. With a handler its address is answered: behind a token made for it, or, where the module is
   * `cacheable`, publicly and without tenant.
   * @param kind  as the product documents it: `generalPages`, `jiraIssueContents`
   * @throws PartywallError ERR_DESCRIPTOR_INVALID
   */
  module(kind: string, definition: ModuleDefinition, handler?: PageHandler): A
}

export interface DeclaredModule {
  readonly kind: string
  readonly module: JsonObject
  /** Relative, with variables; `undefined` for a module without page. */
  readonly url: string | undefined
}

export function createModuleBuilder<A>(
  declare: (declared: DeclaredModule, definition: ModuleDefinition, handler: PageHandler | undefined) => A,
): ModuleBuilder<A> {
  const module = (kind: string, definition: ModuleDefinition, handler?: PageHandler) =>
    declare(readModule(kind, definition, handler !== undefined), definition, handler)
  const forms = Object.entries(SHORT_FORMS).map(([name, kind]): [string, Declare<A>] => [
    name,
    (definition, handler) => module(kind, definition, handler),
  ])
  return { module, ...(Object.fromEntries(forms) as Record<ShortForm, Declare<A>>) }
}

function readModule(kind: string, definition: ModuleDefinition, hasHandler: boolean): DeclaredModule {
  const { name, url: given, target, ...rest } = definition
  if (typeof rest.key !== 'string') throw invalidDescriptor(`modules.${kind}: a module needs a key`)
  const url = given ?? (hasHandler ? `/${rest.key}` : undefined)
  const place = typeof target === 'object' && target !== null && !Array.isArray(target) ? target : undefined
  const page = WITH_TARGET.includes(kind)
    ? { target: url === undefined ? target : { type: 'web_panel', ...place, url } }
    : { url, target }
  const module = frozenJson({ ...rest, name: typeof name === 'string' ? { value: name } : name, ...page })
  return { kind, module: checkModule(kind, module), url }
}

/** The modules of a given descriptor and the declared ones. @throws PartywallError ERR_DESCRIPTOR_INVALID */
export function joinModules(given: JsonObject, declared: readonly DeclaredModule[]): Record<string, JsonValue> {
  const modules: Record<string, JsonValue> = { ...given }
  for (const { kind, module } of declared) {
    const present = modules[kind]
    if (SINGLE.includes(kind)) {
      if (present !== undefined) throw invalidDescriptor(`modules.${kind}: there is one already`)
      modules[kind] = module
    } else modules[kind] = [...(Array.isArray(present) ? present : []), module]
  }
  return modules
}
