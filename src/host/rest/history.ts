/** What was said, over REST: of a room, or privately between an add-on and a user. */

import type { HistoryItem } from '../model.ts'
import { ApiError } from '../server/api-error.ts'
import type { Reply, Route } from '../server/reply.ts'
import type { HostState } from '../state.ts'
import { privateHistory } from '../users/private-message.ts'
import { apiRoute, roomOf, userOf } from './access.ts'
import { collection, flag, maxResults } from './collection.ts'
import { readZone, whenOf } from './when.ts'

export const historyRoutes = (state: HostState): Route[] => [
  apiRoute(state, 'GET', '/room/:room/history', 'view_messages', call => {
    const { id, history } = roomOf(call)
    const shown = between(history, call.query)
    const isOldestFirst = flag(call.query, 'reverse', true)
    return collection(call.query, `${state.url}/v2/room/${id}/history`, isOldestFirst ? shown : shown.toReversed())
  }),
  apiRoute(state, 'GET', '/room/:room/history/latest', 'view_messages', call => {
    const { id, history } = roomOf(call)
    return latest(history, call.query, `${state.url}/v2/room/${id}/history/latest`)
  }),
  apiRoute(state, 'GET', '/room/:room/history/:message', 'view_messages', call =>
    single(roomOf(call).history, call.params.message),
  ),
  apiRoute(state, 'GET', '/user/:user/history/latest', 'view_messages', call => {
    const user = userOf(call)
    const history = privateHistory(user, call.token.installation)
    return latest(history, call.query, `${state.url}/v2/user/${user.id}/history/latest`)
  }),
  apiRoute(state, 'GET', '/user/:user/history/:message', 'view_messages', call =>
    single(privateHistory(userOf(call), call.token.installation), call.params.message),
  ),
]

/** `date` is the newest moment to show (`recent`: now), `end-date` the oldest. No message is ever deleted here. */
function between(history: readonly HistoryItem[], query: URLSearchParams): readonly HistoryItem[] {
  const zone = readZone(query)
  flag(query, 'include_deleted', true)
  const newest = query.get('date') === 'recent' ? undefined : whenOf(query, 'date', zone)
  const oldest = whenOf(query, 'end-date', zone)
  return history.filter(({ date }) => {
    const at = Date.parse(date)
    return at <= (newest ?? Number.POSITIVE_INFINITY) && at >= (oldest ?? Number.NEGATIVE_INFINITY)
  })
}

/** The newest messages, oldest of them first; with `not-before`, none older than that message. */
function latest(history: readonly HistoryItem[], query: URLSearchParams, self: string): Reply {
  readZone(query)
  const max = maxResults(query, 75)
  const notBefore = query.get('not-before')
  const first = notBefore === null ? 0 : history.findIndex(item => item.id === notBefore)
  if (first < 0) throw new ApiError(404, 'Message not found.')
  const items = history.slice(first).slice(-max)
  return { status: 200, json: { items, startIndex: 0, maxResults: max, links: { self } } }
}

function single(history: readonly HistoryItem[], id: string | undefined): Reply {
  const message = history.find(item => item.id === id)
  if (message === undefined) throw new ApiError(404, 'Message not found.')
  return { status: 200, json: { message } }
}
