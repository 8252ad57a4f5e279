/**
 * Whether the scopes of a manifest cover a product call: classic ones (`read:jira-work`) and granular ones (`read:issue:jira`).
 * Reading and writing are told apart, and people's data from work; which of the granular scopes an endpoint wants in particular
 * is not: a real site does that.
 */

import type { Site } from '../services.ts'

type Product = Site['product']

/** Searches that are too long for a query. */
const READS_BY_POST =
  /\/(?:search|jql|match|bulkfetch|permissions\/check|permission\/check|expression\/(?:eval|evaluate|analyse))(?:\/|$)/

export function hasScopeFor(scopes: readonly string[], product: Product, method: string, path: string): boolean {
  const [plain = ''] = path.split('?')
  const isRead = /^(?:GET|HEAD|OPTIONS)$/i.test(method) || READS_BY_POST.test(plain)
  return scopes.some(scope => covers(scope, product, isRead))
}

function covers(scope: string, product: Product, isRead: boolean): boolean {
  const [action = '', subject = '', of] = scope.split(':')
  if (of === undefined && !belongsTo(subject, product)) return false
  if (of !== undefined && !isOf(of, product)) return false
  // Managing includes both, and so does Bitbucket's `admin`.
  if (/^(?:manage|admin|search)$/.test(action)) return action !== 'search' || isRead
  return isRead ? /^(?:read|write|delete|readonly)$/.test(action) : /^(?:write|delete)$/.test(action)
}

/** Of classic scopes: `jira-work`, `confluence-content.all`, `jira-configuration`, `servicedesk-request`. */
function belongsTo(subject: string, product: Product): boolean {
  if (product === 'jira') return /^(?:jira|servicedesk)/.test(subject)
  return subject.startsWith(product)
}

const isOf = (of: string, product: Product): boolean =>
  of === product || (product === 'jira' && /^(?:jira-|jira$)/.test(of))
