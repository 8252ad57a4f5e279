/** From an address in a descriptor, which may hold the product's `{variables}`, to the route that answers it. */

import { invalidDescriptor, readPath } from '../common/settings.ts'

const VARIABLE = /^\{([A-Za-z0-9_.-]+)\}$/

/**
 * @param url  relative, of a descriptor: `/panel/{issue.key}?project={project.id}`
 * @returns the path a router matches: `/panel/:issue_key`; a variable must be a whole segment
 * @throws PartywallError ERR_DESCRIPTOR_INVALID
 */
export function routePathOf(url: string, name: string): string {
  const path = url.replace(/[?#].*$/s, '')
  if (!path.startsWith('/') || path.startsWith('//'))
    throw invalidDescriptor(`${name} must be a path below the base URL: ${url}`)
  const segments = path.slice(1).split('/')
  return segments
    .map(segment => {
      const variable = VARIABLE.exec(segment)?.[1]
      return variable === undefined ? readPath(`/${segment}`, name) : `/:${variable.replaceAll(/[^A-Za-z0-9]/g, '_')}`
    })
    .join('')
}
