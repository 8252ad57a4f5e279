/** Modules that an app registers by REST: all of a call or none (protocol s. 8). */

import { FieldError } from '../../fields.ts'
import type { Reply } from '../../server/reply.ts'
import { readModules } from '../apps/modules.ts'
import { connectInstallation } from './access.ts'
import { readBody } from './body.ts'
import type { ProductCall, ProductRoute } from './product-route.ts'

const PRODUCTS = ['jira', 'confluence'] as const
const PATH = '/rest/atlassian-connect/1/app/module/dynamic'
const MAX_MODULES = 100

export const dynamicModuleRoutes: readonly ProductRoute[] = [
  { products: PRODUCTS, method: 'GET', path: PATH, scope: 'NONE', handle: list },
  { products: PRODUCTS, method: 'POST', path: PATH, scope: 'NONE', handle: register },
  { products: PRODUCTS, method: 'DELETE', path: PATH, scope: 'NONE', handle: remove },
]

function list(call: ProductCall): Reply {
  const installation = connectInstallation(call)
  const modules: Record<string, unknown[]> = {}
  for (const { type, document } of installation.dynamicModules) modules[type] = [...(modules[type] ?? []), document]
  return { status: 200, json: modules }
}

function register(call: ProductCall): Reply {
  const installation = connectInstallation(call)
  installation.dynamicModules = readBody(call, body => {
    const all = [...installation.dynamicModules, ...readModules(body)]
    const keys = [...installation.descriptor.modules, ...all].map(({ key }) => key)
    const twice = keys.find((key, index) => keys.indexOf(key) !== index)
    if (twice !== undefined) throw new FieldError(`the module key ${twice} is there already`)
    if (all.length > MAX_MODULES) throw new FieldError(`there are at most ${MAX_MODULES} dynamic modules`)
    return all
  })
  return { status: 200 }
}

/** Those named by `moduleKey`; without a name all. */
function remove(productCall: ProductCall): Reply {
  const { call } = productCall
  const installation = connectInstallation(productCall)
  const keys = call.query.getAll('moduleKey')
  installation.dynamicModules = installation.dynamicModules.filter(({ key }) => keys.length > 0 && !keys.includes(key))
  return { status: 204 }
}
