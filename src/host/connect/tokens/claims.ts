/** What the host's tokens say: who sent them, of which user and place, for which request. */

import { queryStringHash } from '../../../wire/qsh.ts'
import type { ConnectInstallation } from '../apps/installation.ts'
import type { Content, Space } from '../sites/content.ts'
import type { Issue, Project } from '../sites/issue.ts'
import type { ConnectUser } from '../sites/user.ts'
import type { ConnectState } from '../state.ts'

/** Where a user is in the product. What is left out, the token does not say. */
export interface Place {
  /** `null`: nobody is signed in. */
  readonly user?: ConnectUser | null
  readonly issue?: Issue
  /** Default: the issue's. */
  readonly project?: Project
  readonly content?: Content
  /** Default: the content's. */
  readonly space?: Space
}

export type Claims = Readonly<Record<string, unknown>>

/** Claims every token of the host has. */
export function baseClaims(state: ConnectState, installation: ConnectInstallation): Claims {
  const issuedAt = Math.floor(state.clock.now() / 1000)
  return { iss: installation.clientKey, iat: issuedAt, exp: issuedAt + state.settings.tokenSeconds }
}

export function placeClaims(installation: ConnectInstallation, place: Place): Claims {
  const { user, issue, project = issue?.project, content, space = content?.space } = place
  const jira = {
    ...(issue && { issue: { id: issue.id, key: issue.key, issuetype: { id: issue.issueType.id } } }),
    ...(project && { project: { id: project.id, key: project.key } }),
  }
  const confluence = {
    ...(content && { content: { id: content.id, type: content.type, version: String(content.version) } }),
    ...(space && { space: { id: space.id, key: space.key } }),
  }
  return {
    ...(user && { sub: user.accountId }),
    context: {
      ...(user && { user: { accountId: user.accountId, displayName: user.displayName } }),
      ...(Object.keys(jira).length > 0 && { jira }),
      ...(Object.keys(confluence).length > 0 && { confluence }),
      license: { active: installation.licence === 'active' },
    },
  }
}

/** @param url absolute, below the app's base URL */
export function requestHash(installation: ConnectInstallation, method: string, url: string): string {
  const { origin, pathname } = new URL(installation.appUrl)
  const hash = queryStringHash({ method, target: url.slice(origin.length), basePath: pathname })
  if (hash === undefined) throw new TypeError(`the address has a query that cannot be decoded: ${url}`)
  return hash
}
