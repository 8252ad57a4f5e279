/** Koa on a real server, a guard of one header, and a few routes of ours, for the tests of the Koa adapter. */

import { AsyncLocalStorage } from 'node:async_hooks'
import type { RequestListener } from 'node:http'
import Koa from 'koa'
import { authenticate } from '../../src/adapters/koa.ts'
import { PartywallError } from '../../src/core/errors.ts'
import { jsonAnswer, textAnswer } from '../../src/http/answers.ts'
import { type AppGuardOptions, createAppGuard } from '../../src/http/app-guard.ts'
import { createRouter } from '../../src/http/router.ts'
import { type Listening, listen } from '../../src/http/server.ts'
import type { Guard, RequestView } from '../../src/http/view.ts'

/** Servers of the running test; each test file closes them after each test. */
export const openServers: Listening[] = []

export const closeServers = async (): Promise<void> => {
  await Promise.all(openServers.splice(0).map(server => server.close()))
}

export const serve = async (...middleware: Koa.Middleware[]) => {
  const koa = new Koa()
  const errors: unknown[] = []
  koa.on('error', error => errors.push(error))
  for (const one of middleware) koa.use(one)
  return { ...(await serveListener(koa.callback())), errors }
}

/** Of any other framework. */
export const serveListener = async (listener: RequestListener): Promise<Listening> => {
  const server = await listen(listener, { closeGraceMs: 1_000 })
  openServers.push(server)
  return server
}

export const errorCode = async (response: Response) =>
  ((await response.json()) as { error: { code: string } }).error.code

/** A guard of one header: tenant by name, secrets as the dialects keep them. */
export const tenants = new AsyncLocalStorage<string>()
export const setUpGuard = (options: Partial<AppGuardOptions> = {}) => {
  const state = { released: 0, views: [] as RequestView[], fresh: 0 }
  class Tenant {
    readonly id: string
    readonly #secret = 'top-secret-value'
    constructor(id: string) {
      this.id = id
    }
    get secret() {
      return this.#secret
    }
  }
  const guard: Guard = async view => {
    state.views.push(view)
    const id = view.header('x-tenant')
    if (id === undefined) throw new PartywallError('ERR_TOKEN_MISSING')
    if (id === 'store-down') throw new PartywallError('ERR_STORE_UNAVAILABLE', { message: 'inner words' })
    if (id === 'bug') throw new Error('inner bug')
    const tenant = new Tenant(id)
    return {
      properties: { tenant, authentication: { token: 'top-secret-value' } },
      tenant: id,
      run: work => tenants.run(id, work),
      ensureLive: () => {
        if (id === 'ends-meanwhile') throw new PartywallError('ERR_TENANT_REVOKED')
      },
      headers: () => ['JWT', `fresh-${++state.fresh}`],
      pageHeaders: ['content-security-policy', 'frame-ancestors https://host.example'],
      release: () => state.released++,
    }
  }
  const surroundings = { ensureOpen: () => undefined, onError: () => undefined, ...options }
  const addon = { guard: () => createAppGuard(guard, surroundings) }
  return { state, addon, middleware: authenticate(addon) }
}
export const tenantOf = (ctx: Koa.Context): { id: string; secret: string } =>
  (ctx as unknown as { tenant: never }).tenant

export const routes = createRouter(
  [
    { method: 'GET', path: '/addon/page', handle: () => textAnswer(200, 'ours') },
    {
      method: 'POST',
      path: '/addon/webhook',
      handle: async ({ view }) => jsonAnswer(200, { body: String(await view.body()) }),
    },
    {
      method: 'GET',
      path: '/addon/cookies',
      handle: () => jsonAnswer(200, {}, ['set-cookie', 'a=1', 'set-cookie', 'b=2']),
    },
    { method: 'DELETE', path: '/addon/installable/:id', handle: () => ({ status: 204, headers: [], body: undefined }) },
  ],
  '',
  () => undefined,
)
