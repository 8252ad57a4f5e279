/** Ids of people in Atlassian's products, as they may stand in an assertion, a report or a key. */

import { invalidField } from '../common/check.ts'

/** @throws PartywallError ERR_CALL_INVALID */
export function checkAccountId(accountId: string): string {
  if (typeof accountId === 'string' && /^[\w:.-]{1,128}$/.test(accountId)) return accountId
  throw invalidField('accountId', '1 to 128 letters, digits and :._-', 'the user')
}
