/** Reports of stored personal data: which accounts were closed or changed (protocol s. 10). */

import { FieldError, readList, readObject, readText } from '../../fields.ts'
import type { Reply } from '../../server/reply.ts'
import type { ConnectState } from '../state.ts'
import { readBody } from './body.ts'
import type { ProductCall, ProductRoute } from './product-route.ts'

const MAX_ACCOUNTS = 90
const CYCLE_DAYS = 7

export const accountRoutes: readonly ProductRoute[] = [
  {
    products: ['jira', 'confluence'],
    method: 'POST',
    path: '/rest/atlassian-connect/latest/report-accounts',
    scope: 'NONE',
    handle: report,
  },
]

/** Accounts of other sites may be reported through any. */
function report(call: ProductCall, { sites }: ConnectState): Reply {
  const reported = readBody(call, body => {
    const accounts = readList(body.accounts, 'accounts', (entry, name) => {
      const account = readObject(entry, name)
      readText(account.updatedAt, `${name}.updatedAt`)
      return readText(account.accountId, `${name}.accountId`)
    })
    if (accounts.length > MAX_ACCOUNTS) throw new FieldError(`a report has at most ${MAX_ACCOUNTS} accounts`)
    return accounts
  })
  const users = [...sites.values()].flatMap(site => reported.flatMap(id => site.users.get(id) ?? []))
  const accounts = users
    .filter(({ accountStatus }) => accountStatus !== 'active')
    .map(({ accountId, accountStatus: status }) => ({ accountId, status }))
  const headers = { 'cycle-period': String(CYCLE_DAYS) }
  return accounts.length === 0 ? { status: 204, headers } : { status: 200, headers, json: { accounts } }
}
