/**
 * The routes where the host's page asks for a glance (protocol A7).
 *
 * The request comes from a browser on the host's pages, so these routes answer any origin, without credentials and with the glance
 * alone; the tenant is proved by the token in the address, as everywhere.
 */

import type { Answer, Route, RoutedRequest } from '../../http/view.ts'
import { jsonAnswer } from '../common/answers.ts'
import { serveTenant } from '../common/pages.ts'
import { type GlanceInput, glanceContent } from './glance-content.ts'
import type { HipchatPageContext } from './handler-context.ts'
import type { LifecycleDeps } from './lifecycle.ts'
import { guardPage } from './pages.ts'

export type GlanceHandler = (context: HipchatPageContext) => GlanceInput | Promise<GlanceInput>

const ANY_ORIGIN = ['access-control-allow-origin', '*']
/** A page may send the token in a header instead of the address; a browser asks for leave first. */
const PREFLIGHT: Answer = Object.freeze({
  status: 204,
  headers: [
    ...['access-control-allow-methods', 'GET'],
    ...['access-control-allow-headers', 'authorization, x-acpt'],
    ...['access-control-max-age', '600'],
  ],
  body: undefined,
})

/** The query of a glance and its preflight. */
export const glanceRoutes = (path: string, handler: GlanceHandler, deps: LifecycleDeps): readonly Route[] => [
  { method: 'GET', path, headers: ANY_ORIGIN, handle: request => serveGlance(request, handler, deps) },
  { method: 'OPTIONS', path, headers: ANY_ORIGIN, handle: () => PREFLIGHT },
]

const serveGlance = (request: RoutedRequest, handler: GlanceHandler, deps: LifecycleDeps): Answer | Promise<Answer> =>
  serveTenant(
    request,
    guardPage(request, deps),
    async context => jsonAnswer(glanceContent(await handler(context))),
    deps.logger,
  )
