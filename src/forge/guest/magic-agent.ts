/**
 * SDKs of before 2025 speak to the platform through `https.request` with a text where an agent belongs, and made-up hosts. Here
 * their requests become what newer SDKs send. (Forge protocol s. 4.4, read from `@forge/api` 2.22 to 5.0.)
 */

import type { JsonValue } from '../../core/tenant.ts'

type Headers = readonly (readonly [string, string])[]
export interface MagicTarget {
  readonly meta: Readonly<Record<string, JsonValue>>
  readonly path: string
  readonly headers: Headers
}

/** `undefined` where the agent is a real one, or none. */
export function magicTarget(agent: unknown, host: string, path: string, headers: Headers): MagicTarget | undefined {
  if (typeof agent !== 'string') return undefined
  const words = (headers.find(([name]) => name === 'authorization')?.[1] ?? '').split(' ')
  const rest = headers.filter(([name]) => name !== 'authorization' && name !== 'host')
  switch (agent) {
    case 'FORGE_PRODUCT_REQUEST':
      return { meta: { type: 'fpp', provider: words[1] ?? 'none', remote: host }, path, headers: rest }
    case 'EXTERNAL_AUTH_REQUEST': {
      const [, , provider = '', accountId = ''] = words
      return { meta: { type: 'tpp', provider, remote: host, accountId }, path: parameter(path, 'path'), headers: rest }
    }
    case 'FORGE_REMOTE_COMPUTE_REQUEST':
      return { meta: { type: 'frc', remote: parameter(path, 'remoteKey') }, path: parameter(path, 'path'), headers }
    default:
      return undefined
  }
}

const parameter = (path: string, name: string): string =>
  new URL(path, 'https://any.invalid').searchParams.get(name) ?? ''
