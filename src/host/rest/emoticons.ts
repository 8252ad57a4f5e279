/** Emoticons over REST. */

import { type Emoticon, emoticonsOf } from '../emoticons/emoticon.ts'
import { ApiError } from '../server/api-error.ts'
import type { Route } from '../server/reply.ts'
import type { HostState } from '../state.ts'
import { apiRoute } from './access.ts'
import { choice, collection } from './collection.ts'

export const emoticonRoutes = (state: HostState): Route[] => [
  apiRoute(state, 'GET', '/emoticon', 'view_group', call => {
    const type = choice(call.query, 'type', ['all', 'global', 'group'], 'all')
    const shown = emoticonsOf(state, call.group).filter(one => type === 'all' || one.type === type)
    return collection(
      call.query,
      `${state.url}/v2/emoticon`,
      shown.map(one => describe(state, one)),
    )
  }),
  apiRoute(state, 'GET', '/emoticon/:emoticon', 'view_group', call => {
    const name = call.params.emoticon
    const all = emoticonsOf(state, call.group)
    const found = all.find(one => String(one.id) === name) ?? all.find(one => one.shortcut === name)
    if (found === undefined) throw new ApiError(404, 'Emoticon not found.')
    return { status: 200, json: { ...describe(state, found), width: 30, height: 30 } }
  }),
]

const describe = (state: HostState, { id, shortcut, type, url }: Emoticon) => ({
  id,
  shortcut,
  type,
  url,
  links: { self: `${state.url}/v2/emoticon/${id}` },
})
