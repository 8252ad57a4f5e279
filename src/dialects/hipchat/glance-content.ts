/** What a glance shows (protocol A7): what authors say, and the one form of it on the wire, for queries and pushes alike. */

import * as z from 'zod'
import type { JsonValue } from '../../core/tenant.ts'
import { checkWebUrl } from '../../core/url.ts'
import { firstIssue } from '../common/parse.ts'
import type { Icon } from './builder/definitions.ts'
import { iconShape } from './builder/shapes.ts'

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

/** Pictures in content are shown on the host's pages, where a relative address would be the host's. */
const icon = iconShape({
  anywhere(text) {
    checkWebUrl(text)
    return text
  },
})
export const glanceContentShape: z.ZodType<GlanceContent> = z.strictObject({
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
  const read = glanceContentShape.safeParse(input)
  if (read.success) return read.data
  const { path, message } = firstIssue('', read.error)
  throw new TypeError(`the content of a glance, ${path || 'whole'}: ${message}`)
}
