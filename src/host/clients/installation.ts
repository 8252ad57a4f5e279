/** One installation: an add-on in one room or in a whole group, with its own OAuth client. The add-on's tenant. */

import type { CallFailure } from '../addon-client.ts'
import type { Extension } from '../extensions/extension.ts'
import type { GlanceContent } from '../glances/content.ts'
import type { Audience } from '../glances/table.ts'
import type { GroupRecord, HostGroup, HostRoom, HostUser, RoomRecord } from '../model.ts'
import type { OpenedPage, Opening } from '../pages/open.ts'
import type { Webhook } from '../webhooks/webhook.ts'
import type { AuthorizeOptions } from './authorize.ts'
import type { BrowserVisit } from './browser-flow.ts'
import type { Descriptor } from './descriptor.ts'

export type InstallationState = 'installing' | 'installed' | 'failed' | 'uninstalled'

/** How the add-on answered the last lifecycle call. */
export interface LifecycleResult {
  readonly ok: boolean
  /** `undefined` when no answer came. */
  readonly status: number | undefined
  readonly failure: CallFailure | undefined
}

export interface UpdateOptions {
  /** Default false. A re-install after an uninstall always gets a new secret. */
  readonly rotateSecret?: boolean
}
export interface UninstallOptions {
  /** False: the client is revoked and the add-on hears nothing. Default true. */
  readonly tellAddon?: boolean
}
export interface TokenSubject {
  /** Default: the group's owner; `null`: nobody. */
  readonly user?: HostUser | null
  /** Default: the room of a room installation. */
  readonly room?: HostRoom
}
export interface PageOptions extends TokenSubject {
  readonly theme?: 'light' | 'dark'
  /** Adds the host's origin as `xdmhost`, which only old hosts did; default false. */
  readonly xdmhost?: boolean
}

/** What the host does with an installation; given by the host, so that this file needs none of it. */
export interface InstallationActions {
  update(installation: Installation, options: UpdateOptions): Promise<Installation>
  uninstall(installation: Installation, options: UninstallOptions): Promise<LifecycleResult>
  signRequest(installation: Installation, claims: Readonly<Record<string, unknown>>, subject: TokenSubject): string
  authorize(installation: Installation, options: AuthorizeOptions): string
  extensions(installation: Installation, room: HostRoom | undefined): readonly Extension[]
  open(installation: Installation, opening: Opening, options: PageOptions): OpenedPage
  queryGlance(installation: Installation, key: string, subject: TokenSubject): Promise<GlanceContent>
  glance(installation: Installation, key: string, viewer: Audience): GlanceContent | undefined
}

interface Facts {
  readonly oauthId: string
  readonly oauthSecret: string
  /** Where the descriptor came from: read again on update. */
  readonly source: string | object
  readonly descriptor: Descriptor
  readonly group: GroupRecord
  readonly room: RoomRecord | undefined
  readonly relayState: string | undefined
  readonly capabilitiesUrl: string
}

export class Installation {
  readonly oauthId: string
  readonly capabilitiesUrl: string
  readonly source: string | object
  readonly relayState: string | undefined
  readonly group: HostGroup
  /** `undefined` for a global installation. */
  readonly room: HostRoom | undefined
  #actions: InstallationActions
  #secret: string
  #offered: string | undefined
  #descriptor: Descriptor
  #webhooks: readonly Webhook[] = []
  #state: InstallationState = 'installing'
  #result: LifecycleResult | undefined
  #visit: BrowserVisit | undefined

  constructor(facts: Facts, actions: InstallationActions) {
    this.oauthId = facts.oauthId
    this.capabilitiesUrl = facts.capabilitiesUrl
    this.source = facts.source
    this.relayState = facts.relayState
    this.group = facts.group
    this.room = facts.room
    this.#secret = facts.oauthSecret
    this.#descriptor = facts.descriptor
    this.#actions = actions
  }

  /** Behind a getter, so that no printer shows it. During a rotation still the old one. */
  get oauthSecret(): string {
    return this.#secret
  }
  get state(): InstallationState {
    return this.#state
  }
  /** Of the last install, update or uninstall. */
  get result(): LifecycleResult | undefined {
    return this.#result
  }
  /** Where the user's browser was during it, if it was sent anywhere. */
  get visit(): BrowserVisit | undefined {
    return this.#visit
  }
  get descriptor(): Descriptor {
    return this.#descriptor
  }
  /** Those of the descriptor; empty until installed. */
  get webhooks(): readonly Webhook[] {
    return this.#webhooks
  }
  /** What notifications say they are from. */
  get label(): string {
    return this.#descriptor.label
  }

  /** Tells the add-on of a re-install: same id at its update URL; without one a new installation replaces this. */
  update(options: UpdateOptions = {}): Promise<Installation> {
    return this.#actions.update(this, options)
  }
  /** Revokes the client, then tells the add-on. */
  uninstall(options: UninstallOptions = {}): Promise<LifecycleResult> {
    return this.#actions.uninstall(this, options)
  }
  /**
   * A token as the host puts it on page requests.
   * @param claims replace or extend the usual ones; `undefined` leaves a claim out
   */
  signRequest(claims: Readonly<Record<string, unknown>> = {}, subject: TokenSubject = {}): string {
    return this.#actions.signRequest(this, claims, subject)
  }
  /** @param url absolute, or relative to the descriptor's address */
  pageUrl(url: string, options: PageOptions = {}): string {
    const { theme = 'light', xdmhost = false, ...subject } = options
    const page = new URL(url, this.#descriptor.self)
    page.searchParams.set('signed_request', this.signRequest({}, subject))
    page.searchParams.set('theme', theme)
    if (xdmhost) page.searchParams.set('xdmhost', new URL(this.capabilitiesUrl).origin)
    return page.href
  }
  /** Opens what the add-on put into the host's pages. @throws TypeError when it has nothing such here */
  open(opening: Opening, options: PageOptions = {}): OpenedPage {
    return this.#actions.open(this, opening, options)
  }
  /**
   * Asks the add-on for a glance's content, as the user's browser does.
   * @throws GlanceError when the browser would show nothing · TypeError when there is no such glance with a `queryUrl`
   */
  queryGlance(key: string, subject: TokenSubject = {}): Promise<GlanceContent> {
    return this.#actions.queryGlance(this, key, subject)
  }
  /** The newest content of a glance, pushed or asked for, as this user sees it in this room. */
  glance(key: string, viewer: Audience = {}): GlanceContent | undefined {
    return this.#actions.glance(this, key, { ...viewer, room: viewer.room ?? this.room })
  }
  /** What the add-on shows in a room (default: its own): from its descriptor, and registered since. */
  extensions(room: HostRoom | undefined = this.room): readonly Extension[] {
    return this.#actions.extensions(this, room)
  }
  /**
   * The authorization page: a user lets the add-on act in their name.
   * @returns where the browser is sent, with `code` and `state`
   * @throws TypeError for an address or scope that the descriptor does not name, or a user of another group
   */
  authorize(options: AuthorizeOptions): string {
    return this.#actions.authorize(this, options)
  }

  /** True where this installation may see and be told of the room. */
  covers(room: HostRoom): boolean {
    return this.room === undefined ? this.group === room.group : this.room === room
  }
  /** True for the secret, and for one that is being offered to the add-on right now. */
  honours(secret: string): boolean {
    return secret === this.#secret || (this.#offered !== undefined && secret === this.#offered)
  }

  /** For the host's own parts: a new secret, good beside the old one until `settle`. */
  offerSecret(secret: string): void {
    this.#offered = secret
  }
  /** For the host's own parts: the add-on has answered a lifecycle call. */
  settle(state: InstallationState, result: LifecycleResult | undefined): void {
    if (state === 'installed' && result?.ok === true) this.#secret = this.#offered ?? this.#secret
    this.#offered = undefined
    this.#state = state
    this.#result = result
  }
  /** For the host's own parts: the user's browser was sent to the add-on. */
  noteVisit(visit: BrowserVisit | undefined): void {
    this.#visit = visit
  }
  /** For the host's own parts: the webhooks of the descriptor now in force. */
  subscribe(descriptor: Descriptor, webhooks: readonly Webhook[]): void {
    this.#descriptor = descriptor
    this.#webhooks = webhooks
  }
}
