/** One app in one product: what a test sees of it, and what it can ask the host to do with it. */

import type { CallFailure } from '../../addon-client.ts'
import type { OpenedAppPage, PageAddress } from '../pages/open.ts'
import type { Product } from '../sites/product.ts'
import type { Claims, Place } from '../tokens/claims.ts'
import type { SignedTarget } from '../tokens/sign.ts'
import { DynamicWebhooks } from '../webhooks/dynamic-webhook.ts'
import type { AppDescriptor, LifecycleEvent } from './descriptor.ts'
import type { AppModule } from './modules.ts'

/** `failed`: the app refused the install. A disabled app keeps its secret and may still call. */
export type AppState = 'installing' | 'failed' | 'enabled' | 'disabled' | 'uninstalled'
export type Licence = 'active' | 'none'

/** One lifecycle call, and what the app said. */
export interface AppLifecycleResult {
  readonly event: LifecycleEvent
  readonly ok: boolean
  /** `undefined` when no answer came, or the descriptor has no such callback. */
  readonly status: number | undefined
  readonly failure: CallFailure | undefined
  /** As sent, for replays. `undefined` without one. */
  readonly token: string | undefined
  readonly body: Readonly<Record<string, unknown>>
}

export interface SendOptions {
  /** Further members of the body, or other ones. */
  readonly body?: Readonly<Record<string, unknown>>
  /** `none` leaves the token out; a text is sent as it is. */
  readonly token?: 'none' | { readonly text: string }
  /** Query of the callback's address, such as `user_key=ada`; covered by the hash. */
  readonly query?: string
}

export interface AppUninstallOptions {
  /** Sends `disabled` after `uninstalled` and without a token, as the products sometimes do. */
  readonly lateDisabled?: boolean
  /** `false`: the app hears nothing. */
  readonly tellApp?: boolean
}

export interface RealmMoveOptions {
  /** Ends in a rollback though the app agreed: as when the move took too long. */
  readonly fails?: boolean
}

export interface InstallationFacts {
  readonly product: Product
  readonly descriptorUrl: string
  readonly descriptor: AppDescriptor
  readonly sharedSecret: string
  readonly oauthClientId: string | undefined
  readonly realm: string | undefined
}

/** What the host does for an installation. */
export interface InstallationActions {
  reinstall(one: ConnectInstallation, options: SendOptions): Promise<AppLifecycleResult>
  upgrade(one: ConnectInstallation, descriptorUrl: string | undefined): Promise<AppLifecycleResult>
  upgradeToForge(one: ConnectInstallation): Promise<AppLifecycleResult>
  switchTo(one: ConnectInstallation, state: 'enabled' | 'disabled'): Promise<AppLifecycleResult>
  uninstall(one: ConnectInstallation, options: AppUninstallOptions): Promise<AppLifecycleResult>
  send(one: ConnectInstallation, event: LifecycleEvent, options: SendOptions): Promise<AppLifecycleResult>
  signRequest(one: ConnectInstallation, target: SignedTarget, place: Place, claims: Claims): string
  signContext(one: ConnectInstallation, place: Place, claims: Claims): string
  pageUrl(one: ConnectInstallation, address: PageAddress): string
  openPage(one: ConnectInstallation, address: PageAddress): Promise<OpenedAppPage>
  frameUrl(one: ConnectInstallation, address: PageAddress): string
  moveRealm(one: ConnectInstallation, realm: string, options: RealmMoveOptions): Promise<readonly AppLifecycleResult[]>
  isShown(one: ConnectInstallation, moduleKey: string, place: Place): boolean
}

export class ConnectInstallation {
  readonly product: Product
  /** Set by the host alone, as everything writable here. */
  descriptor: AppDescriptor
  descriptorUrl: string
  /** The newest that the host gave out. */
  sharedSecret: string
  /** The one before, after a rotation. */
  previousSecret: string | undefined
  oauthClientId: string | undefined
  /** Of Connect on Forge. */
  installationId: string | undefined
  state: AppState = 'installing'
  licence: Licence = 'active'
  realm: string | undefined
  /** All lifecycle calls, oldest first. */
  readonly results: AppLifecycleResult[] = []
  /** App properties, by key. */
  readonly properties = new Map<string, unknown>()
  /** Registered by REST, beside those of the descriptor. */
  dynamicModules: readonly AppModule[] = []
  /** Made by REST, beside those of the descriptor. */
  readonly webhooks = new DynamicWebhooks()
  readonly #actions: InstallationActions

  constructor(facts: InstallationFacts, actions: InstallationActions) {
    this.product = facts.product
    this.descriptor = facts.descriptor
    this.descriptorUrl = facts.descriptorUrl
    this.sharedSecret = facts.sharedSecret
    this.oauthClientId = facts.oauthClientId
    this.realm = facts.realm
    this.#actions = actions
  }

  get appKey(): string {
    return this.descriptor.key
  }
  get clientKey(): string {
    return this.product.clientKey
  }
  /** The product's, for the app's calls. */
  get baseUrl(): string {
    return this.product.baseUrl
  }
  /** The app's, in the realm of this tenant. */
  get appUrl(): string {
    return (
      (this.realm === undefined ? undefined : this.descriptor.regionBaseUrls[this.realm]) ?? this.descriptor.baseUrl
    )
  }
  get isInstalled(): boolean {
    return this.state === 'enabled' || this.state === 'disabled'
  }
  get modules(): readonly AppModule[] {
    return [...this.descriptor.modules, ...this.dynamicModules]
  }
  /** The last lifecycle call. */
  get result(): AppLifecycleResult | undefined {
    return this.results.at(-1)
  }

  /** `installed` and `enabled` again, with a new secret: after an uninstall, a rename of the site, to rotate the secret. */
  reinstall(options: SendOptions = {}): Promise<AppLifecycleResult> {
    return this.#actions.reinstall(this, options)
  }
  /** Reads the descriptor again, or another one, and installs what it says. */
  upgrade(descriptorUrl?: string): Promise<AppLifecycleResult> {
    return this.#actions.upgrade(this, descriptorUrl)
  }
  /** Connect on Forge: the same client key, a new secret, and an `installationId`. */
  upgradeToForge(): Promise<AppLifecycleResult> {
    return this.#actions.upgradeToForge(this)
  }
  enable(): Promise<AppLifecycleResult> {
    return this.#actions.switchTo(this, 'enabled')
  }
  disable(): Promise<AppLifecycleResult> {
    return this.#actions.switchTo(this, 'disabled')
  }
  uninstall(options: AppUninstallOptions = {}): Promise<AppLifecycleResult> {
    return this.#actions.uninstall(this, options)
  }
  /** Sends a lifecycle call whatever the state is, and changes nothing here: duplicates, wrong order, odd bodies. */
  send(event: LifecycleEvent, options: SendOptions = {}): Promise<AppLifecycleResult> {
    return this.#actions.send(this, event, options)
  }
  /** Sends the token of a former call once more, with its body or another one. */
  replay({ event, token, body }: AppLifecycleResult, changes: SendOptions['body'] = {}): Promise<AppLifecycleResult> {
    const same = token === undefined ? 'none' : { text: token }
    return this.#actions.send(this, event, { token: same, body: { ...body, ...changes } })
  }
  /** The token of a request to the app. */
  signRequest(target: SignedTarget, place: Place = {}, claims: Claims = {}): string {
    return this.#actions.signRequest(this, target, place, claims)
  }
  /** What a page gets from `AP.context.getToken`. */
  contextToken(place: Place = {}, claims: Claims = {}): string {
    return this.#actions.signContext(this, place, claims)
  }
  /** The address of a module's page, with its parameters and token. @throws TypeError without such a page */
  pageUrl(moduleKey: string, place: Place = {}, parameters: PageAddress['parameters'] = {}): string {
    return this.#actions.pageUrl(this, { moduleKey, place, parameters })
  }
  /** Fetches the page as a browser would, but follows nothing. */
  openPage(moduleKey: string, place: Place = {}, parameters: PageAddress['parameters'] = {}): Promise<OpenedAppPage> {
    return this.#actions.openPage(this, { moduleKey, place, parameters })
  }
  /** The host's page that shows a module in a frame, with the bridge; for a browser. */
  frameUrl(moduleKey: string, place: Place = {}, parameters: PageAddress['parameters'] = {}): string {
    return this.#actions.frameUrl(this, { moduleKey, place, parameters })
  }
  /** Moves the tenant's data to another realm: schedule, start, then commit, or rollback when the app refuses. */
  moveRealm(realm: string, options: RealmMoveOptions = {}): Promise<readonly AppLifecycleResult[]> {
    return this.#actions.moveRealm(this, realm, options)
  }
  /** Do the module's conditions hold? */
  isShown(moduleKey: string, place: Place = {}): boolean {
    return this.#actions.isShown(this, moduleKey, place)
  }
}
