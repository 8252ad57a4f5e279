/**
 * Modules of a Connect descriptor (protocol s. 8): which kinds the products know, and what every module must be.
 *
 * Products add kinds and fields all the time, so what we do not know is published as it was given, and told; what we know to be
 * wrong stops the start. Nothing here builds addresses.
 */

import type { JsonObject, JsonValue } from '../../core/tenant.ts'
import { invalidDescriptor } from '../common/settings.ts'

/** Lists of modules unless marked: `configurePage` and the like are one. */
const JIRA = [
  'adminPages',
  'configurePage',
  'dialogs',
  'generalPages',
  'inlineDialogs',
  'jiraBackgroundScripts',
  'jiraBuildInfoProvider',
  'jiraDashboardItems',
  'jiraDeploymentInfoProvider',
  'jiraDevelopmentTool',
  'jiraEntityProperties',
  'jiraFeatureFlagInfoProvider',
  'jiraGlobalPermissions',
  'jiraIssueContents',
  'jiraIssueContexts',
  'jiraIssueFields',
  'jiraIssueGlances',
  'jiraIssueTabPanels',
  'jiraProjectAdminTabPanels',
  'jiraProjectPages',
  'jiraProjectPermissions',
  'jiraProjectTabPanels',
  'jiraRemoteLinkInfoProvider',
  'jiraReports',
  'jiraSearchRequestViews',
  'jiraTimeTrackingProviders',
  'jiraWorkflowConditions',
  'jiraWorkflowPostFunctions',
  'jiraWorkflowValidators',
  'keyboardShortcuts',
  'postInstallPage',
  'postUpdatePage',
  'profilePages',
  'webItems',
  'webPanels',
  'webSections',
] as const
const CONFLUENCE = [
  'blueprints',
  'confluenceContentProperties',
  'confluenceThemes',
  'contentBylineItems',
  'customContent',
  'dynamicContentMacros',
  'spaceToolsTabs',
  'staticContentMacros',
] as const
const BITBUCKET = [
  'configurePage',
  'fileViews',
  'oauthConsumer',
  'profileTabs',
  'repoPages',
  'webItems',
  'webPanels',
] as const
const KINDS: ReadonlySet<string> = new Set([...JIRA, ...CONFLUENCE, ...BITBUCKET, 'webhooks'])

/** Hides parts of the product's pages, never authorises: a condition is no check of permission. */
export type ModuleCondition =
  | { readonly condition: string; readonly invert?: boolean; readonly params?: JsonObject }
  | { readonly and: readonly ModuleCondition[] }
  | { readonly or: readonly ModuleCondition[] }

const MAX_DEPTH = 8

/** True for a kind of module that a product documents. */
export const isKnownModule = (kind: string): boolean => KINDS.has(kind)

/**
 * Checks one module.
 * @param where  its place in the descriptor, for the message: `generalPages[0]`
 * @throws PartywallError ERR_DESCRIPTOR_INVALID naming the path
 */
export function checkModule(where: string, module: JsonValue): JsonObject {
  if (!isObject(module)) throw invalidDescriptor(`modules.${where} must be an object`)
  const { key, name, url, conditions } = module
  if (key !== undefined && !(typeof key === 'string' && /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(key))) {
    throw invalidDescriptor(`modules.${where}.key must be 1 to 100 letters, digits, dashes, dots or underscores`)
  }
  if (name !== undefined && !(isObject(name) && typeof name.value === 'string' && name.value !== '')) {
    throw invalidDescriptor(`modules.${where}.name must have a value`)
  }
  if (url !== undefined && typeof url !== 'string') throw invalidDescriptor(`modules.${where}.url must be a text`)
  if (conditions !== undefined) checkConditions(`${where}.conditions`, conditions, 0)
  return module
}

/** Keys are unique over all kinds of a descriptor. @throws PartywallError ERR_DESCRIPTOR_INVALID */
export function checkKeys(modules: Readonly<Record<string, JsonValue>>): void {
  const seen = new Map<string, string>()
  for (const [kind, value] of Object.entries(modules)) {
    for (const module of Array.isArray(value) ? value : [value]) {
      const key = isObject(module) ? module.key : undefined
      if (typeof key !== 'string') continue
      const earlier = seen.get(key)
      if (earlier !== undefined) throw invalidDescriptor(`modules: ${earlier} and ${kind} share the key ${key}`)
      seen.set(key, kind)
    }
  }
}

function checkConditions(where: string, conditions: JsonValue, depth: number): void {
  if (!Array.isArray(conditions)) throw invalidDescriptor(`modules.${where} must be a list`)
  if (depth > MAX_DEPTH) throw invalidDescriptor(`modules.${where} is nested too deep`)
  for (const [index, condition] of conditions.entries()) checkCondition(`${where}[${index}]`, condition, depth)
}

function checkCondition(where: string, condition: JsonValue, depth: number): void {
  if (!isObject(condition)) throw invalidDescriptor(`modules.${where} must be an object`)
  const kinds = ['condition', 'and', 'or'].filter(kind => Object.hasOwn(condition, kind))
  if (kinds.length !== 1) throw invalidDescriptor(`modules.${where} must have one of condition, and, or`)
  const { and, or } = condition
  if (and !== undefined) checkConditions(`${where}.and`, and, depth + 1)
  else if (or !== undefined) checkConditions(`${where}.or`, or, depth + 1)
  else checkSingle(where, condition)
}

function checkSingle(where: string, { condition, invert, params }: JsonObject): void {
  const wrong = (name: string, expected: string) => invalidDescriptor(`modules.${where}.${name} must be ${expected}`)
  if (typeof condition !== 'string' || condition === '') throw wrong('condition', 'a text')
  if (invert !== undefined && typeof invert !== 'boolean') throw wrong('invert', 'true or false')
  if (params !== undefined && !isObject(params)) throw wrong('params', 'an object')
}

const isObject = (value: JsonValue | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
