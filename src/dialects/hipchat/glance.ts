/**
 * A glance's content (protocol A7), and the routes where the host's page asks for it.
 *
 * The request comes from a browser on the host's pages, so these routes answer any origin, without credentials and with the glance
 * alone; the tenant is proved by the token in the address, as everywhere.
 */

import * as z from 'zod'
import type { JsonValue } from '../../core/tenant.ts'
import { checkWebUrl } from '../../core/url.ts'
import type { Answer, Route, RoutedRequest } from '../../http/view.ts'
import { jsonAnswer } from './answers.ts'
import type { Icon } from './builder/definitions.ts'
import { firstIssue } from './builder/parse.ts'
import { iconShape } from './builder/shapes.ts'
import type { HipchatPageContext } from './handler-context.ts'
import type { LifecycleDeps } from './lifecycle.ts'
import { serveTenant } from './pages.ts'

export const LOZENGE_TYPES = ['default', 'success', 'error', 'current', 'new', 'complete', 'moved'] as const
type LozengeType = (typeof LOZENGE_TYPES)[number]
type Lozenge = { readonly type: 'lozenge'; readonly value: { readonly label: string; readonly type: LozengeType } }
type Metadata = { readonly [name: string]: JsonValue }

/** What a handler or a push says. The label is HTML, also where it is a plain text: escape what people wrote. */
export interface GlanceInput {
  readonly label: string | { readonly type: 'html'; readonly value: string }
  readonly status?: Lozenge | { readonly type: 'icon'; readonly value: Icon } | undefined
  /** For the conditions `glance_matches`. */
  readonly metadata?: Metadata | undefined
}

/** The same as on the wire: the answer of a query, and `content` in a push. */
export interface GlanceContent {
  readonly label: { readonly type: 'html'; readonly value: string }
  readonly status?:
    | Lozenge
    | { readonly type: 'icon'; readonly value: { readonly url: string; readonly 'url@2x': string } }
    | undefined
  readonly metadata?: Metadata | undefined
}

export type GlanceHandler = (context: HipchatPageContext) => GlanceInput | Promise<GlanceInput>

/** Pictures in content are shown on the host's pages, where a relative address would be the host's. */
const icon = iconShape({
  anywhere(text) {
    checkWebUrl(text)
    return text
  },
})
const shape: z.ZodType<GlanceContent> = z.strictObject({
  label: z.preprocess(
    value => (typeof value === 'string' ? { type: 'html', value } : value),
    z.strictObject({ type: z.literal('html'), value: z.string().min(1) }),
  ),
  status: z
    .discriminatedUnion('type', [
      z.strictObject({
        type: z.literal('lozenge'),
        value: z.strictObject({ label: z.string().min(1), type: z.enum(LOZENGE_TYPES) }),
      }),
      z.strictObject({ type: z.literal('icon'), value: icon }),
    ])
    .optional(),
  metadata: z.record(z.string(), z.json()).optional(),
})

/**
 * Checks the content of a glance and makes the wire's form of it.
 *
 * @throws TypeError naming the field, never its value
 * @example glanceContent({ label: '<b>5</b> open', status: { type: 'lozenge', value: { label: 'LATE', type: 'error' } } })
 */
export function glanceContent(input: GlanceInput): GlanceContent {
  const read = shape.safeParse(input)
  if (read.success) return read.data
  const { path, message } = firstIssue('', read.error)
  throw new TypeError(`the content of a glance, ${path || 'whole'}: ${message}`)
}

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

const serveGlance = (request: RoutedRequest, handler: GlanceHandler, deps: LifecycleDeps): Promise<Answer> =>
  serveTenant(request, async context => jsonAnswer(glanceContent(await handler(context))), deps)
