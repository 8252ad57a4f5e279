/** Whether a new version reaches installations by itself or waits for an administrator's consent (Forge protocol s. 2.4). */

import type { Manifest } from './types.ts'

export interface ManifestChange {
  readonly kind: 'minor' | 'major'
  /** What needs consent, a sentence each. */
  readonly reasons: readonly string[]
}

export function compareManifests(before: Manifest, after: Manifest): ManifestChange {
  const added = (what: string, was: readonly string[], is: readonly string[]): string[] =>
    is.filter(one => !was.includes(one)).map(one => `${what} ${one} is new`)
  const remotes = ({ remotes: list }: Manifest) => list.map(({ key, baseUrl }) => `${key} ${JSON.stringify(baseUrl)}`)
  const dynamic = ({ webTriggers }: Manifest) =>
    webTriggers.filter(({ response }) => response.type === 'dynamic').map(({ key }) => key)
  const modules = ({ notSimulated }: Manifest) =>
    notSimulated
      .filter(({ type }) => type === 'sql' || type === 'endpoint')
      .map(({ type, key }) => `${type} ${key ?? ''}`.trim())
  const reasons = [
    ...added('scope', before.permissions.scopes, after.permissions.scopes),
    ...added('impersonation by', before.permissions.impersonation, after.permissions.impersonation),
    ...added('egress to', before.permissions.egress, after.permissions.egress),
    ...added('remote', remotes(before), remotes(after)),
    ...added('dynamic web trigger', dynamic(before), dynamic(after)),
    ...added('module', modules(before), modules(after)),
  ]
  return { kind: reasons.length > 0 ? 'major' : 'minor', reasons }
}
