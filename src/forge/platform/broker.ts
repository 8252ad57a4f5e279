/**
 * Where a guest's request goes: by the kind that the SDK gave it, to the service that answers it. The installation is the caller's,
 * which the platform knows from the process; nothing of the request names one. (Forge protocol s. 4.2, 4.3.)
 */

import { isPartywallError } from '../../core/errors.ts'
import type { Logger } from '../../core/ports.ts'
import { jsonAnswer, platformRefusal } from '../answers.ts'
import type { Caller, GuestRequest, GuestService } from '../services.ts'

export interface BrokerServices {
  readonly kvs: GuestService
  /** Of SDKs before 2025, on the same rows. */
  readonly legacyStorage: GuestService
  readonly product: GuestService
  readonly egress: GuestService
  readonly queue: GuestService
  /** GraphQL of the gateway: addresses of web triggers. */
  readonly webTriggers: GuestService
  /** Everything that is known and not simulated answers one coded line. */
  readonly notSimulated: GuestService
}

/** Scope without which an app has no storage. */
const STORAGE_SCOPE = 'storage:app'

/** @param logger hears of failures that are the platform's own: the app is told a code alone */
export function createBroker(services: BrokerServices, logger: Logger): GuestService {
  return {
    async handle(caller, request) {
      try {
        // An installation that has ended: its last words are heard, and nothing more is done for it.
        if (caller.context.mode === 'read-only') return ENDED
        return await serviceOf(services, caller, request).handle(caller, request)
      } catch (error) {
        if (isPartywallError(error) && error.fault !== 'us') throw error
        logger.error('forge-service-failed', { tenant: caller.installationId, type: request.meta.type, error })
        throw error
      }
    },
  }
}

function serviceOf(services: BrokerServices, caller: Caller, request: GuestRequest): GuestService {
  const { type, remote } = request.meta
  switch (type) {
    case 'egress':
      return services.egress
    case 'kvs':
      return mayStore(caller) ? services.kvs : NO_STORAGE
    case 'fpp':
      return remote === 'stargate' ? gatewayOf(services, caller, request.path) : services.product
    default:
      return services.notSimulated
  }
}

/** Paths come with and without a slash in front. */
function gatewayOf(services: BrokerServices, caller: Caller, path: string): GuestService {
  const [first = '', second = ''] = path.replace(/^\/+/, '').split(/[/?]/)
  if (first === 'webhook' && second === 'queue') return services.queue
  if (first === 'forge' && second === 'entities') return mayStore(caller) ? services.legacyStorage : NO_STORAGE
  if (first === 'graphql' && second !== 'twg') return services.webTriggers
  if (first === 'app' && second === 'report-accounts') return PERSONAL_DATA
  return services.notSimulated
}

const mayStore = ({ manifest }: Caller): boolean => manifest.permissions.scopes.includes(STORAGE_SCOPE)

const ENDED = platformRefusal(401, 'INSTALLATION_ENDED', 'the app is not installed here any more')

const NO_STORAGE: GuestService = {
  handle: async () =>
    jsonAnswer(403, {
      code: 'PERMISSION_DENIED',
      message: `The manifest does not ask for the scope ${STORAGE_SCOPE}, which storage needs.`,
    }),
}

/** Accounts whose data an app reports: none of a simulated site is ever closed. (Protocol s. 4.3.) */
const PERSONAL_DATA: GuestService = { handle: async () => jsonAnswer(204) }
