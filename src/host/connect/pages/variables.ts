/** `{variables}` in addresses of modules and webhooks: what a place gives them. */

import type { Place } from '../tokens/claims.ts'

export type Variables = Readonly<Record<string, string | undefined>>

export function variablesOf(place: Place): Variables {
  const { user, issue, project = issue?.project, content, space = content?.space } = place
  return {
    'issue.id': issue?.id,
    'issue.key': issue?.key,
    'issuetype.id': issue?.issueType.id,
    'project.id': project?.id,
    'project.key': project?.key,
    'space.id': space?.id,
    'space.key': space?.key,
    'content.id': content?.id,
    'content.type': content?.type,
    'content.version': content === undefined ? undefined : String(content.version),
    'page.id': content?.id,
    'page.version': content === undefined ? undefined : String(content.version),
    'page.type': content?.type,
    'profileUser.accountId': user?.accountId,
  }
}

/** What the place does not give is empty. Values are encoded, so that none of them adds a parameter. */
export const fillVariables = (url: string, variables: Variables): string =>
  url.replace(/\{([A-Za-z.]+)\}/g, (_, name: string) => encodeURIComponent(variables[name] ?? ''))
