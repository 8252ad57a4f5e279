/** What a Forge app keeps of itself at a site, and what Bitbucket says of itself to one. */

import { ApiError } from '../../server/api-error.ts'
import { forgeAppOf } from './access.ts'
import { found } from './body.ts'
import type { ProductCall, ProductRoute } from './product-route.ts'
import { propertyRoutes } from './properties.ts'

export const forgeAppRoutes: readonly ProductRoute[] = [
  ...propertyRoutes({
    products: ['jira', 'confluence'],
    path: '/rest/forge/1/app',
    read: 'NONE',
    write: 'NONE',
    of: propertiesOf,
  }),
  {
    products: ['bitbucket'],
    method: 'GET',
    path: '/2.0/user',
    scope: 'READ',
    handle: ({ user }) => {
      const { accountId, displayName } = found(user, 'user')
      return { status: 200, json: { type: 'user', account_id: accountId, display_name: displayName } }
    },
  },
  {
    products: ['bitbucket'],
    method: 'GET',
    path: '/2.0/workspaces/:workspace',
    scope: 'READ',
    handle: ({ site, param }) => {
      const slug = found(param('workspace') === site.name ? site.name : undefined, 'workspace')
      return { status: 200, json: { type: 'workspace', uuid: `{${site.cloudId}}`, slug, name: slug } }
    },
  },
]

/** An app sees its own alone, and not as one of its users. */
function propertiesOf(call: ProductCall): Map<string, unknown> {
  const appId = forgeAppOf(call)
  if (appId === undefined || call.user !== undefined) throw new ApiError(403, 'Only a Forge app itself may do this.')
  const known = call.site.forgeProperties.get(appId) ?? new Map<string, unknown>()
  call.site.forgeProperties.set(appId, known)
  return known
}
