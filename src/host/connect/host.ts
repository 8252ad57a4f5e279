/** Starts a simulated Jira and Confluence: puts the parts together, listens, and closes everything again. */

import type { Faults } from '../faults/faults.ts'
import { createHooks, type Hooks } from '../hooks.ts'
import { once } from '../once.ts'
import { listen } from '../server/http-server.ts'
import { originOf, refuseOthers } from '../server/loopback.ts'
import { createRouter } from '../server/router.ts'
import type { HostClock } from '../state.ts'
import { actionsOn } from './apps/actions.ts'
import { ConnectInstallation } from './apps/installation.ts'
import { type ConnectInstallOptions, installApp } from './apps/lifecycle.ts'
import { createConnectState } from './create-state.ts'
import type { ForgeCredentialRequest } from './forge/tokens.ts'
import type { SigningKey } from './keys/key-ring.ts'
import { connectErrorReply } from './rest/errors.ts'
import { connectRoutes } from './routes.ts'
import type { Product } from './sites/product.ts'
import { checkName, Site } from './sites/site.ts'
import type { ConnectEvents, ConnectFaultPoint, ConnectHostSettings, ConnectState } from './state.ts'
import type { ConnectDelivery } from './webhooks/delivery.ts'
import type { HostEvent } from './webhooks/listeners.ts'

export interface ConnectHostOptions extends Partial<ConnectHostSettings> {
  /** Default 0: any free port. */
  readonly port?: number
  /** A loopback name or address; default `127.0.0.1`. */
  readonly hostname?: string
  /** Default: the system's. With a clock of your own, retries happen only when `retryPending` is called. */
  readonly clock?: HostClock
  /** The same seed gives the same ids and secrets; RSA keys differ. */
  readonly seed?: string | number
  /** First numeric id of projects, issues, spaces, pages; default random. */
  readonly firstId?: number
}

export interface ConnectHost {
  /** Origin without trailing slash. */
  readonly url: string
  /** Base address of the key server: `/<kid>` gives the PEM. */
  readonly keyServerUrl: string
  /** Where bearer tokens to act as a user are issued; its origin is their audience. */
  readonly tokenUrl: string
  readonly sites: readonly Site[]
  /** Every installation ever tried, oldest first. */
  readonly installs: readonly ConnectInstallation[]
  /** The newest 10,000, oldest first. */
  readonly deliveries: readonly ConnectDelivery[]
  readonly faults: Faults<ConnectFaultPoint>
  /** Jira at `<url>/<name>`, Confluence at `<url>/<name>/wiki`. @throws TypeError for a name that is taken or cannot be one */
  createSite(spec: { readonly name: string }): Site
  /**
   * Reads the descriptor, makes the secret, tells the app. Look at `state` and `result`.
   * @param product `site.jira`, `site.confluence` or `site.bitbucket`
   * @throws DescriptorError when there is nothing to install · TypeError when the app is there already
   */
  install(descriptorUrl: string, product: Product, options?: ConnectInstallOptions): Promise<ConnectInstallation>
  /**
   * Credentials by which a Forge platform calls the products for its apps; give it to `app.forge({ product: { credentials } })`. A
   * person who is not on the site gets none.
   */
  readonly forgeCredentials: (request: ForgeCredentialRequest) => string | undefined
  /** Something happens in a product. @returns when each delivery has had its first attempt */
  fire(
    product: Product,
    event: string,
    what?: Partial<Pick<HostEvent, 'place' | 'payload'>>,
  ): Promise<readonly ConnectDelivery[]>
  /** Installs are signed with a new key from now on; with `keepOld: false` the key server forgets the former ones. */
  rotateKey(options?: { readonly keepOld?: boolean }): Promise<Pick<SigningKey, 'kid' | 'publicKeyPem'>>
  /** One more attempt now for every delivery that waits for one; with `onlyDue` for those whose time has come. */
  retryPending(options?: { readonly onlyDue?: boolean }): Promise<readonly ConnectDelivery[]>
  /** Resolves when no delivery attempt is under way. */
  idle(): Promise<void>
  readonly on: Hooks<ConnectEvents>['on']
  /** Safe to call twice. */
  close(): Promise<void>
}

/** @throws TypeError for an address that others could reach: whoever reaches a simulator can use it */
export async function startConnectHost(options: ConnectHostOptions = {}): Promise<ConnectHost> {
  const { port = 0, hostname = '127.0.0.1', clock = { now: Date.now }, ...rest } = options
  refuseOthers(hostname)
  const closing = new AbortController()
  const hooks = createHooks<ConnectEvents>()
  // The address is known once the server listens, and routes need it: they are made right after.
  let router = createRouter<ConnectInstallation>([])
  const server = await listen<ConnectInstallation>(
    { port, hostname },
    {
      router: () => router,
      onServed: ({ installation, ...served }) => {
        const { clientKey, appKey } = installation ?? {}
        hooks.emit('request', { ...served, clientKey, appKey, at: clock.now() })
      },
      errorReply: connectErrorReply,
    },
  )
  const given = { url: originOf(hostname, server.port), clock, hooks, closing: closing.signal }
  const state = createConnectState(given, { automaticRetries: options.clock === undefined, ...rest })
  router = createRouter(connectRoutes(state))
  return publish(
    state,
    once(async () => {
      closing.abort()
      state.deliveries.stop()
      await Promise.all([server.close(), state.apps.close()])
    }),
  )
}

const publish = (state: ConnectState, close: () => Promise<void>): ConnectHost => ({
  url: state.url,
  keyServerUrl: `${state.url}/keys`,
  tokenUrl: `${state.url}/oauth2/token`,
  get sites() {
    return [...state.sites.values()]
  },
  get installs() {
    return [...state.installs]
  },
  get deliveries() {
    return state.deliveries.list
  },
  faults: state.faults,
  createSite: ({ name }) => {
    checkName(state, name)
    const site = new Site(state, name)
    state.sites.set(name, site)
    return site
  },
  install: (descriptorUrl, product, options = {}) =>
    installApp(state, descriptorUrl, product, options, facts => new ConnectInstallation(facts, actionsOn(state))),
  fire: (product, event, { place = {}, payload = {} } = {}) =>
    state.deliveries.send({ product, event, place, payload }),
  forgeCredentials: request => state.forge.credentials(request),
  rotateKey: options => state.keys.rotate(options),
  retryPending: (options = {}) => state.deliveries.retryPending(options),
  idle: () => state.deliveries.idle(),
  on: state.hooks.on,
  close,
})
