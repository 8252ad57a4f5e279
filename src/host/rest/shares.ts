/** Sharing a link or a file over REST, with a room or with one user. */

import { optional, readObject, readText, readWebUrl } from '../fields.ts'
import type { FileSpec } from '../model.ts'
import { post, uploadFile } from '../rooms/actions.ts'
import type { Reply, Route } from '../server/reply.ts'
import type { HostState } from '../state.ts'
import { writePrivately } from '../users/private-message.ts'
import { type ApiCall, apiRoute, orBadRequest, parseJson, readBody, usableRoom, userOf } from './access.ts'
import { countMessage } from './limits.ts'
import { parseRelated } from './multipart.ts'

const MAX_TEXT = 1000

/** Links: the documentation says POST, the library that add-ons use sends PUT. */
export const shareRoutes = (state: HostState): Route[] => [
  ...['POST', 'PUT'].flatMap(method => [
    apiRoute(state, method, '/room/:room/share/link', 'send_message', call => shareLinkWithRoom(state, call)),
    apiRoute(state, method, '/user/:user/share/link', 'send_message', call => shareLinkWithUser(state, call)),
  ]),
  apiRoute(state, 'POST', '/room/:room/share/file', 'send_message', call => shareFileWithRoom(state, call)),
  apiRoute(state, 'POST', '/user/:user/share/file', 'send_message', call => shareFileWithUser(state, call)),
]

function shareLinkWithRoom(state: HostState, call: ApiCall): Reply {
  const room = usableRoom(call)
  const headers = countMessage(state, call.token, room)
  state.deliveries.inBackground(post(state, room, call.actor, readLink(call)).told)
  return { status: 204, headers }
}

function shareLinkWithUser(state: HostState, call: ApiCall): Reply {
  const user = userOf(call)
  const headers = countMessage(state, call.token, user)
  writePrivately(state, user, call.actor, readLink(call))
  return { status: 204, headers }
}

function shareFileWithRoom(state: HostState, call: ApiCall): Reply {
  const room = usableRoom(call)
  const headers = countMessage(state, call.token, room)
  state.deliveries.inBackground(uploadFile(state, room, call.actor, readFile(state, call)))
  return { status: 204, headers }
}

function shareFileWithUser(state: HostState, call: ApiCall): Reply {
  const user = userOf(call)
  const headers = countMessage(state, call.token, user)
  const { message = '', ...file } = readFile(state, call)
  writePrivately(state, user, call.actor, message, { file })
  return { status: 204, headers }
}

/** The message that carries the link: what was said of it, and the address. */
function readLink(call: ApiCall): string {
  return readBody(call, body => {
    const link = readWebUrl(body.link, 'link')
    const said = optional(body.message, one => readText(one, 'message', MAX_TEXT))
    return said === undefined ? link : `${said} ${link}`
  })
}

/** Stores the file once everything has been read. */
function readFile(state: HostState, call: ApiCall): Pick<FileSpec, 'name' | 'size' | 'url' | 'message'> {
  const { document, file } = parseRelated(call.header('content-type'), call.body)
  const message = orBadRequest(() => {
    const fields = readObject(parseJson(document), 'the JSON part')
    return optional(fields.message, one => readText(one, 'message', MAX_TEXT))
  })
  return { name: file.name, size: file.bytes.length, url: state.files.add(file), ...(message && { message }) }
}
