/**
 * `ctx.tenantClient`: the product of one tenant, called as the app or as one of its users. Which calls may leave, and how, is
 * `host-api.ts`'s matter; this file says what an author sees of it.
 */

import type { TenantContext } from '../../core/context.ts'
import type { JsonValue } from '../../core/tenant.ts'
import { createUserSigner } from './act-as-user.ts'
import { type AddonState, readAddonState } from './addon-state.ts'
import {
  createAppProperties,
  createEntityProperties,
  type ProductProperties,
  type PropertyEntity,
} from './app-properties.ts'
import { type BitbucketTokenOptions, createBitbucketSigner } from './bitbucket-token.ts'
import type { ProductLimits } from './call-pace.ts'
import type { ProductRequest } from './call-request.ts'
import { createContentProperties } from './content-properties.ts'
import { createDynamicModules, type DynamicModules } from './dynamic-modules.ts'
import { type ClientDeps, createExchange, type Exchange, type Signer } from './host-api.ts'
import type { ConnectScope } from './options.ts'
import type { ProductAnswer } from './product-answer.ts'
import { signCall } from './product-token.ts'

type Call = (path: string, request?: ProductRequest) => Promise<JsonValue>

/** Methods resolve to what the product answered: parsed JSON, a text, `null` where it says nothing. Errors as of `Exchange`. */
export interface ProductCalls {
  /** Any method; resolves to the body. */
  request(method: string, path: string, request?: ProductRequest): Promise<JsonValue>
  /** The same with status and headers. */
  readonly exchange: Exchange
  readonly get: Call
  readonly post: Call
  readonly put: Call
  readonly patch: Call
  readonly del: Call
  /** Resolves to status and headers, since there is no body. */
  head(path: string, request?: ProductRequest): Promise<ProductAnswer>
}

export interface UserClient extends ProductCalls {
  readonly accountId: string
}

export interface TenantClient extends ProductCalls {
  /**
   * The same calls as a user of this tenant. Needs the scope `ACT_AS_USER`.
   * @param scopes  of the user's token; left out: all that the app has
   * @throws PartywallError ERR_CALL_INVALID, ERR_SCOPE_UNDECLARED, ERR_ACT_AS_USER_UNAVAILABLE
   */
  asUser(accountId: string, scopes?: readonly ConnectScope[]): UserClient
  /** Values kept at the product that only this app writes. */
  readonly appProperties: ProductProperties
  /** Properties of an issue, project, user ... in Jira. @throws PartywallError ERR_CALL_INVALID, ERR_OUTBOUND_URL */
  entityProperties(entity: PropertyEntity, id: string | number): ProductProperties
  /** Properties of a page or another content in Confluence. @throws PartywallError ERR_OUTBOUND_URL */
  contentProperties(contentId: string | number): ProductProperties
  /** Modules of this tenant beside those of the descriptor. */
  readonly dynamicModules: DynamicModules
  /** What the product says about the app: state, version, licence. */
  addonState(): Promise<AddonState>
  /**
   * The same calls with a bearer token of Bitbucket's token swap.
   * @throws PartywallError ERR_CALL_INVALID, also for another family
   */
  withBitbucketToken(options?: BitbucketTokenOptions): ProductCalls
  /** What the product said last about its limits for this tenant; `undefined` before it has. */
  readonly rateLimit: ProductLimits | undefined
}

export function createTenantClient(context: TenantContext, deps: ClientDeps): TenantClient {
  const { identity } = context
  const calls = createCalls(createExchange(context, createAppSigner(context, deps), deps))
  return {
    ...calls,
    appProperties: createAppProperties(calls.exchange, deps.settings.key),
    entityProperties: (entity, id) => createEntityProperties(calls.exchange, entity, id),
    contentProperties: contentId => createContentProperties(calls.exchange, contentId),
    dynamicModules: createDynamicModules(calls.exchange),
    addonState: () => readAddonState(calls.exchange, deps.settings.key),
    asUser(accountId, scopes = []) {
      const signer = createUserSigner(identity, accountId, scopes, deps)
      return { accountId, ...createCalls(createExchange(context, signer, deps)) }
    },
    withBitbucketToken: (options = {}) =>
      createCalls(createExchange(context, createBitbucketSigner(identity, options, deps), deps)),
    get rateLimit() {
      return deps.pace.limitsOf(identity)
    },
  }
}

const createAppSigner = ({ identity }: TenantContext, { settings, clock }: ClientDeps): Signer => ({
  authorize: async call => `JWT ${signCall(identity, settings, call, clock.now())}`,
  // It was made for this request a moment ago: another one would be no better.
  refused: async () => false,
})

function createCalls(exchange: Exchange): ProductCalls {
  const by =
    (method: string): Call =>
    async (path, request) =>
      (await exchange(method, path, request)).body
  return {
    exchange,
    request: (method, path, request) => by(method)(path, request),
    get: by('GET'),
    post: by('POST'),
    put: by('PUT'),
    patch: by('PATCH'),
    del: by('DELETE'),
    head: (path, request) => exchange('HEAD', path, request),
  }
}
