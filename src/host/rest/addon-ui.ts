/** Pushing glances: to the whole group, to a room, to a user. All entries are taken, or none. */

import { extensionsIn } from '../extensions/find.ts'
import { FieldError, readList, readObject, readText } from '../fields.ts'
import { type GlanceContent, parseGlanceContent } from '../glances/content.ts'
import type { Audience } from '../glances/table.ts'
import { noContent, type Reply, type Route } from '../server/reply.ts'
import type { HostState } from '../state.ts'
import { type ApiCall, apiRoute, ensureGlobal, readBody, roomOf, userOf } from './access.ts'

const MAX_GLANCES = 100

export const addonUiRoutes = (state: HostState): Route[] => [
  apiRoute(state, 'POST', '/addon/ui', 'view_group', call => {
    ensureGlobal(call)
    return push(state, call, {})
  }),
  apiRoute(state, 'POST', '/addon/ui/room/:room', 'view_room', call => push(state, call, { room: roomOf(call) })),
  apiRoute(state, 'POST', '/addon/ui/user/:user', 'view_group', call => push(state, call, { user: userOf(call) })),
]

function push(state: HostState, call: ApiCall, audience: Audience): Reply {
  const { installation } = call.token
  const known = extensionsIn(state, installation, audience.room ?? installation.room)
  const entries = readBody(call, body => {
    const keys = new Set(known.filter(one => one.kind === 'glance').map(one => one.key))
    const read = readList(body.glance, 'glance', (entry, name) => readEntry(keys, entry, name))
    if (read.length === 0 || read.length > MAX_GLANCES)
      throw new FieldError(`glance has not 1 to ${MAX_GLANCES} entries`)
    return read
  })
  for (const { key, content } of entries) state.glances.set(installation, key, audience, content)
  return noContent
}

function readEntry(
  keys: ReadonlySet<string>,
  entry: unknown,
  name: string,
): { readonly key: string; readonly content: GlanceContent } {
  const fields = readObject(entry, name)
  const key = readText(fields.key, `${name}.key`, 40)
  if (!keys.has(key)) throw new FieldError(`${name}.key names no glance of this add-on`)
  return { key, content: parseGlanceContent(fields.content, `${name}.content`) }
}
