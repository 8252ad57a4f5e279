/** What Forge has and Partywall does not simulate: one clear line with a code, at once, for the app and for the log. */

import type { Logger } from '../core/ports.ts'
import { platformRefusal } from './answers.ts'
import type { GuestRequest, GuestService } from './services.ts'

/** Names of what the SDK's packages reach by each kind of request (protocol s. 4.2). */
const NAMES: Readonly<Record<string, string>> = {
  sql: 'sql',
  os: 'objectStore',
  realtime: 'realtime',
  llm: 'llm',
  emails: 'emails',
  frc: 'remotes (invokeRemote)',
  fcc: 'services (containers)',
  tpp: 'providers (external authentication)',
  'feature-flags': 'feature flags',
}

const CODE = 'ERR_FORGE_NOT_SIMULATED'

export function createNotSimulated(logger: Logger): GuestService {
  return {
    async handle(caller, request) {
      const name = nameOf(request)
      logger.warn('forge-not-simulated', { tenant: caller.installationId, module: name, function: caller.functionKey })
      return platformRefusal(501, CODE, `${CODE}: ${name} is not simulated`)
    },
  }
}

function nameOf({ meta, path }: GuestRequest): string {
  const type = String(meta.type)
  if (type !== 'fpp') return NAMES[type] ?? type
  return `the gateway path ${path.split('?')[0]}`
}
