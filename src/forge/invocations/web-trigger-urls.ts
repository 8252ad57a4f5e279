/**
 * Addresses of web triggers. An id is the installation and 128 random bits: whoever has not got the address cannot make one, and what
 * comes by it belongs to one installation. Its row is found by a hash, within that installation's own state.
 */

import { hash } from 'node:crypto'
import type { TenantContext } from '../../core/context.ts'
import { recordOf } from '../answers.ts'
import type { InvocationParts } from './parts.ts'

export interface WebTriggerUrl {
  readonly id: string
  readonly moduleKey: string
  readonly url: string
}

const UUID_BYTES = 16
const SECRET_BYTES = 16
const ID_CHARACTERS = 43

export interface WebTriggerUrls {
  /** The one there is, or a new one; with `isNew` always a new one, beside those of before. */
  create(context: TenantContext, moduleKey: string, isNew?: boolean): Promise<WebTriggerUrl>
  list(context: TenantContext): Promise<readonly WebTriggerUrl[]>
  /** False where the installation has no such address. */
  delete(context: TenantContext, id: string): Promise<boolean>
  /** Key of the web trigger; `undefined` where the installation has no such address. */
  find(context: TenantContext, id: string): Promise<string | undefined>
}

/** The installation that an id claims to be of, `undefined` for what is no id. It says nothing until `find` has found it. */
export function claimedInstallation(id: string): string | undefined {
  if (id.length !== ID_CHARACTERS || !/^[\w-]+$/.test(id)) return undefined
  const bytes = Buffer.from(id, 'base64url')
  if (bytes.length !== UUID_BYTES + SECRET_BYTES || bytes.toString('base64url') !== id) return undefined
  return bytes.toString('hex', 0, UUID_BYTES).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** @param baseUrl  public URL of the app, without slash at its end */
export function createWebTriggerUrls(
  baseUrl: string,
  { stateOf, random }: Pick<InvocationParts, 'stateOf' | 'random'>,
): WebTriggerUrls {
  const rowsOf = (context: TenantContext) => stateOf(context).narrow('web-triggers')
  const described = (id: string, moduleKey: string): WebTriggerUrl => ({ id, moduleKey, url: `${baseUrl}/x1/${id}` })

  const list = async (context: TenantContext) =>
    Object.values(await rowsOf(context).all()).map(row => {
      const { id, moduleKey } = recordOf(row)
      return described(String(id), String(moduleKey))
    })

  return {
    list,
    async create(context, moduleKey, isNew = false) {
      const found = isNew ? undefined : (await list(context)).find(one => one.moduleKey === moduleKey)
      if (found !== undefined) return found
      const installation = Buffer.from(context.identity.externalId.replaceAll('-', ''), 'hex')
      const id = Buffer.concat([installation, random.bytes(SECRET_BYTES)]).toString('base64url')
      await rowsOf(context).set(rowKey(id), { id, moduleKey })
      return described(id, moduleKey)
    },
    delete: (context, id) => rowsOf(context).del(rowKey(id)),
    async find(context, id) {
      const { moduleKey } = recordOf(await rowsOf(context).get(rowKey(id)))
      return typeof moduleKey === 'string' ? moduleKey : undefined
    },
  }
}

/** By its hash, so that how long a look-up takes says nothing of the ids that are there. */
const rowKey = (id: string): string => hash('sha256', id)
