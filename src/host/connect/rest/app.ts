/** What an app asks of its own installation: state and licence, app properties. */

import { ApiError } from '../../server/api-error.ts'
import type { Reply } from '../../server/reply.ts'
import { connectInstallation } from './access.ts'
import type { ProductCall, ProductRoute } from './product-route.ts'
import { propertyRoutes } from './properties.ts'

const PATH = '/rest/atlassian-connect/1/addons/:appKey'
const PRODUCTS = ['jira', 'confluence'] as const
/** Read-only and listed nowhere: how the Forge form of an app learns of its former tenant. */
const CLIENT_KEY_PROPERTY = 'connect_client_key_019cdff3-8bfb-71fe-9628-875b700aebb8'

export const appRoutes: readonly ProductRoute[] = [
  { products: PRODUCTS, method: 'GET', path: PATH, scope: 'NONE', handle: call => describe(own(call)) },
  {
    products: PRODUCTS,
    method: 'GET',
    path: `${PATH}/properties/${CLIENT_KEY_PROPERTY}`,
    scope: 'NONE',
    handle: call => ({
      status: 200,
      json: { key: CLIENT_KEY_PROPERTY, value: connectInstallation(own(call)).clientKey },
    }),
  },
  ...propertyRoutes({
    products: PRODUCTS,
    path: PATH,
    read: 'NONE',
    write: 'NONE',
    of: call => connectInstallation(own(call)).properties,
  }),
]

/** An app sees itself alone, and not as one of its users. */
function own(call: ProductCall): ProductCall {
  if (call.user !== undefined) throw new ApiError(403, 'Only the app itself may do this.')
  if (call.param('appKey') !== connectInstallation(call).appKey) throw new ApiError(404, 'Add-on not found.')
  return call
}

function describe(call: ProductCall): Reply {
  const { product } = call
  const { appKey, descriptor, state, licence, clientKey } = connectInstallation(call)
  return {
    status: 200,
    json: {
      key: appKey,
      version: '1.0.0',
      state: state === 'enabled' ? 'ENABLED' : 'DISABLED',
      host: { product: product.type, contacts: [] },
      ...(descriptor.isPaid && { license: { active: licence === 'active', type: 'COMMERCIAL', evaluation: false } }),
      links: { self: `${product.baseUrl}/rest/atlassian-connect/1/addons/${appKey}` },
      clientKey,
    },
  }
}
