/** Whether a trigger wants to hear of an event: its own doing, licences, an expression over the event (Forge protocol s. 2.3). */

import type { Logger } from '../../core/ports.ts'
import type { JsonValue } from '../../core/tenant.ts'
import { recordOf } from '../answers.ts'
import type { EventFilter } from '../manifest/types.ts'
import { ExpressionError, evaluate } from './expression.ts'

export interface FilterFacts {
  readonly isSelfGenerated: boolean
  readonly license: JsonValue | undefined
}

export function passesFilter(
  filter: EventFilter | undefined,
  event: JsonValue,
  { isSelfGenerated, license }: FilterFacts,
  logger: Pick<Logger, 'warn'>,
): boolean {
  if (filter === undefined) return true
  if (filter.ignoreSelf && isSelfGenerated) return false
  if (filter.appIsLicensed === true && recordOf(license).isActive === false) return false
  return filter.expression === undefined || holds(filter.expression, filter.onError, event, logger)
}

/** What cannot be evaluated is as if it did not hold, unless the manifest says that it wants such events too. */
function holds(
  expression: string,
  onError: string | undefined,
  event: JsonValue,
  logger: Pick<Logger, 'warn'>,
): boolean {
  try {
    const value = evaluate(expression, { event })
    if (typeof value === 'boolean') return value
    throw new ExpressionError('the expression gives no boolean')
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error
    if (onError === 'RECEIVE') return true
    logger.warn('forge-filter-failed', { expression, reason: error.message })
    return onError === 'RECEIVE_AND_LOG'
  }
}
