/**
 * Conditions under which the host shows a glance or an action (protocol A2): a single one, or `and` and `or` of several.
 *
 * An identifier the protocol does not name is refused: a host has no way to be taught another, so it is a spelling mistake.
 */

import * as z from 'zod'
import type { Condition } from './definitions.ts'

const EVERYWHERE = ['room_is_public', 'user_is_admin', 'user_is_guest', 'user_is_room_owner'] as const
const ON_ACTIONS = ['message_matches', 'message_contains_link', 'message_sent_by_current_user', 'card_matches'] as const
const ON_GLANCES = ['glance_matches'] as const

export const glanceConditions = conditionsOf([...EVERYWHERE, ...ON_GLANCES])
export const actionConditions = conditionsOf([...EVERYWHERE, ...ON_ACTIONS])

function conditionsOf(identifiers: readonly string[]): z.ZodType<Condition[], unknown> {
  const single = z.strictObject({
    condition: z.enum(identifiers, { error: `none of ${identifiers.join(', ')}` }),
    invert: z.boolean().optional(),
    params: z.record(z.string(), z.json()).optional(),
  })
  const several = z.strictObject({
    type: z.enum(['and', 'or']),
    get conditions() {
      return conditions
    },
  })
  // Chosen by hand: a union says only that nothing fits, this says what is wrong and where.
  const one: z.ZodType<Condition, unknown> = z.unknown().transform((value, context): Condition => {
    const isSeveral = typeof value === 'object' && value !== null && 'conditions' in value
    const read = (isSeveral ? several : single).safeParse(value)
    if (read.success) return read.data
    for (const issue of read.error.issues) context.issues.push({ ...issue, input: value, code: 'custom' })
    return z.NEVER
  })
  const conditions: z.ZodType<Condition[], unknown> = z.array(one)
  return conditions
}
