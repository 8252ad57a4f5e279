/** Starts a simulated HipChat host: puts the parts together, listens, and closes everything again. */

import type { Installation } from './clients/installation.ts'
import { type InstallTarget, install } from './clients/lifecycle.ts'
import { createState } from './create-state.ts'
import type { Faults } from './faults/faults.ts'
import { createGroup, groupRecord } from './groups/group.ts'
import { createHooks, type Hooks } from './hooks.ts'
import type { HostGroup, HostUser } from './model.ts'
import { once } from './once.ts'
import { hostRoutes } from './routes.ts'
import { errorReply } from './server/api-error.ts'
import { listen } from './server/http-server.ts'
import { originOf, refuseOthers } from './server/loopback.ts'
import { createRouter } from './server/router.ts'
import type { HostClock, HostSettings, HostState } from './state.ts'
import { userRecord } from './users/user.ts'
import type { Delivery } from './webhooks/delivery.ts'

export interface HipchatHostOptions extends Partial<HostSettings> {
  /** Default 0: any free port. */
  readonly port?: number
  /** A loopback name or address; default `127.0.0.1`. */
  readonly hostname?: string
  /** Default: the system's. With a clock of your own, retries happen only when `retryPending` is called. */
  readonly clock?: HostClock
  /** The same seed gives the same ids, secrets and tokens. */
  readonly seed?: string | number
  /** First numeric id of groups, rooms, users and webhooks; default random. */
  readonly firstId?: number
}

export interface HipchatHost {
  /** Origin without trailing slash. */
  readonly url: string
  readonly capabilitiesUrl: string
  readonly groups: readonly HostGroup[]
  /** Those whose OAuth client is good. */
  readonly installations: readonly Installation[]
  /** The newest 10,000, oldest first. */
  readonly deliveries: readonly Delivery[]
  readonly faults: Faults
  createGroup(spec: { readonly name: string }): HostGroup
  /**
   * The documented flow: read the descriptor, make the OAuth client, tell the add-on. Look at `state` and `result`.
   * @param descriptor its URL, or the document
   * @throws DescriptorError when there is nothing to install
   */
  install(descriptor: string | object, target: InstallTarget): Promise<Installation>
  /** Lists an add-on: install links may name it by its key. @param descriptor its URL, or the document */
  publish(key: string, descriptor: string | object): void
  /** Whose browser opens the host's own pages: install links and the authorization page. `undefined` signs out. */
  signIn(user: HostUser | undefined): void
  /** One more attempt now for every delivery that waits for one; with `onlyDue` for those whose time has come. */
  retryPending(options?: { readonly onlyDue?: boolean }): Promise<readonly Delivery[]>
  /** Resolves when no delivery attempt is under way. */
  idle(): Promise<void>
  readonly on: Hooks['on']
  /** Safe to call twice. */
  close(): Promise<void>
}

/** @throws TypeError for an address that others could reach: whoever reaches a simulator can use it */
export async function startHipchatHost(options: HipchatHostOptions = {}): Promise<HipchatHost> {
  const { port = 0, hostname = '127.0.0.1', clock = { now: Date.now }, ...rest } = options
  refuseOthers(hostname)
  const closing = new AbortController()
  const hooks = createHooks()
  // The address is known once the server listens, and routes need it: they are made right after.
  let router = createRouter<Installation>([])
  const server = await listen<Installation>(
    { port, hostname },
    {
      router: () => router,
      onServed: ({ installation, ...served }) =>
        hooks.emit('request', { ...served, oauthId: installation?.oauthId, at: clock.now() }),
      errorReply,
    },
  )
  const url = originOf(hostname, server.port)
  const automaticRetries = options.clock === undefined
  const state = createState({ url, clock, hooks, closing: closing.signal }, { automaticRetries, ...rest })
  router = createRouter(hostRoutes(state))
  return publish(
    state,
    once(async () => {
      closing.abort()
      state.deliveries.stop()
      await Promise.all([server.close(), state.addons.close()])
    }),
  )
}

const publish = (state: HostState, close: () => Promise<void>): HipchatHost => ({
  url: state.url,
  capabilitiesUrl: `${state.url}/v2/capabilities`,
  get groups() {
    return [...state.groups.values()]
  },
  get installations() {
    return [...state.clients.values()]
  },
  get deliveries() {
    return state.deliveries.list
  },
  faults: state.faults,
  createGroup: spec => createGroup(state, spec),
  install: (descriptor, target) => install(state, descriptor, target),
  publish: (key, descriptor) => {
    state.catalog.set(key, descriptor)
  },
  signIn: user => {
    state.session.user = user === undefined ? undefined : userRecord(groupRecord(state, user.group), user)
  },
  retryPending: (options = {}) => state.deliveries.retryPending(options),
  idle: () => state.deliveries.idle(),
  on: state.hooks.on,
  close,
})
