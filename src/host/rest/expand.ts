/** `expand`: puts whole entities where an answer has only their reference. */

import type { AccessToken } from '../clients/tokens.ts'
import { groupRecord } from '../groups/group.ts'
import { describeRoom, findRoom } from '../rooms/room.ts'
import { describeStatistics } from '../rooms/statistics.ts'
import { ApiError } from '../server/api-error.ts'
import type { Reply } from '../server/reply.ts'
import type { HostState } from '../state.ts'
import { describeUser, findUser } from '../users/user.ts'

const MAX_PATHS = 10
const MAX_DEPTH = 4

type Resolve = (self: string) => unknown
type Tree = Map<string, Tree>

/**
 * @param query `expand=items.owner,participants`: every entity on the way is expanded; unknown names are passed over
 * @throws ApiError 400 for more than 10 paths, or one of more than 4 names
 */
export function expand(state: HostState, token: AccessToken, query: URLSearchParams, reply: Reply): Reply {
  const wanted = query.get('expand')
  if (wanted === null || reply.status !== 200 || reply.json === undefined) return reply
  const paths = wanted.split(',').map(path => path.trim().split('.'))
  if (paths.length > MAX_PATHS || paths.some(path => path.length > MAX_DEPTH)) {
    throw new ApiError(400, `expand takes ${MAX_PATHS} paths of ${MAX_DEPTH} names at most.`)
  }
  const resolve = resolver(state, token)
  return { ...reply, json: expandBelow(reply.json, treeOf(paths), resolve) }
}

/** Names below names, so that two paths through one entity expand it once. */
function treeOf(paths: readonly (readonly string[])[]): Tree {
  const tree: Tree = new Map()
  for (const path of paths) {
    let node = tree
    for (const name of path) {
      const next: Tree = node.get(name) ?? new Map()
      node.set(name, next)
      node = next
    }
  }
  return tree
}

function expandBelow(value: unknown, tree: Tree, resolve: Resolve): unknown {
  if (Array.isArray(value)) return value.map(one => expandBelow(one, tree, resolve))
  if (!isRecord(value)) return value
  const expanded = [...tree]
    .filter(([name]) => Object.hasOwn(value, name))
    .map(([name, below]) => [name, expandBelow(entity(value[name], resolve), below, resolve)] as const)
  return { ...value, ...Object.fromEntries(expanded) }
}

function entity(value: unknown, resolve: Resolve): unknown {
  if (Array.isArray(value)) return value.map(one => entity(one, resolve))
  if (!isRecord(value) || !isRecord(value.links) || typeof value.links.self !== 'string') return value
  return resolve(value.links.self) ?? value
}

/** Finds what the token may see; `undefined` for the rest. */
function resolver(state: HostState, { installation }: AccessToken): Resolve {
  const group = groupRecord(state, installation.group)
  return self => {
    const path = self.startsWith(`${state.url}/v2/`) ? self.slice(state.url.length + 4) : ''
    const [, kind, id = '', part] = /^(room|user)\/(\d+)(\/statistics)?$/.exec(path) ?? []
    const user = kind === 'user' && part === undefined ? findUser(group, id) : undefined
    if (user !== undefined) return describeUser(state, user)
    const room = kind === 'room' ? findRoom(group, id) : undefined
    if (room === undefined || !installation.covers(room)) return undefined
    return part === undefined ? describeRoom(state, room) : describeStatistics(state, room)
  }
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
