/** Conditions under which an extension is shown. Their form and names are checked; who sees what is not decided here. */

import { FieldError, optional, readChoice, readFlag, readList, readObject, readText } from '../fields.ts'

const COMMON = ['room_is_public', 'user_is_admin', 'user_is_guest', 'user_is_room_owner']
const BY_KIND = {
  action: [...COMMON, 'message_matches', 'message_contains_link', 'message_sent_by_current_user', 'card_matches'],
  glance: [...COMMON, 'glance_matches'],
} as const
const MAX_DEPTH = 8

/** @throws FieldError for an unknown name, another form, or nesting of more than 8 */
export function checkConditions(kind: keyof typeof BY_KIND, value: unknown, name: string): void {
  optional(value, list => readList(list, name, (one, place) => checkOne(BY_KIND[kind], one, place, 1)))
}

function checkOne(known: readonly string[], value: unknown, name: string, depth: number): void {
  if (depth > MAX_DEPTH) throw new FieldError(`${name} is nested too deep`)
  const condition = readObject(value, name)
  if (condition.type !== undefined) {
    // Written in both cases by the host's own examples.
    const type = typeof condition.type === 'string' ? condition.type.toLowerCase() : condition.type
    readChoice(type, `${name}.type`, ['and', 'or'])
    readList(condition.conditions, `${name}.conditions`, (one, place) => checkOne(known, one, place, depth + 1))
    return
  }
  const identifier = readText(condition.condition, `${name}.condition`, 100)
  if (!known.includes(identifier)) throw new FieldError(`${name}.condition is none of ${known.join(', ')}`)
  readFlag(condition.invert, `${name}.invert`, false)
  optional(condition.params, one => readObject(one, `${name}.params`))
}
