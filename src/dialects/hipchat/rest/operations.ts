/**
 * The few kinds of calls that the REST API consists of, each with one scope and the statuses it may end in. The `*-api.ts`
 * files say which there are; sending is `host-api.ts`'s matter, lists are `pages.ts`'s.
 */

import type * as z from 'zod'
import { checkAnswer } from '../../common/check.ts'
import type { HostApi, HostRequest } from '../host-api.ts'
import type { HipchatScope } from '../options.ts'
import type { Query } from './address.ts'
import { createPages, type Pages } from './pages.ts'

/** What a call sends: `body` in our spelling or the host's, or `content` as it is. */
type Sent = Pick<HostRequest, 'content' | 'timeoutMs'> & { readonly body?: object }

/** Every call rejects with what `HostApi.call` throws, and ERR_HOST_RESPONSE for an answer of another shape. */
export interface Operations extends Pages {
  /** 200 */
  read<T>(scope: HipchatScope, path: string, shape: z.ZodType<T>, query?: Query): Promise<T>
  /** 201, or what `expect` says. */
  create<T>(
    method: 'POST' | 'PUT',
    scope: HipchatScope,
    path: string,
    shape: z.ZodType<T>,
    sent: Sent & Pick<HostRequest, 'expect'>,
  ): Promise<T>
  /** 204 */
  change(method: 'POST' | 'PUT' | 'DELETE', scope: HipchatScope, path: string, sent?: Sent): Promise<null>
}

export function createOperations({ call }: Pick<HostApi, 'call'>): Operations {
  return {
    ...createPages(call),
    async read(scope, path, shape, query) {
      return checkAnswer(shape, await call('GET', path, { scopes: [scope], expect: [200], query }))
    },
    async create(method, scope, path, shape, { body, ...rest }) {
      const request = { scopes: [scope], expect: [201], body: members(body), ...rest }
      return checkAnswer(shape, await call(method, path, request))
    },
    async change(method, scope, path, { body, ...rest } = {}) {
      await call(method, path, { scopes: [scope], expect: [204], body: members(body), ...rest })
      return null
    },
  }
}

/** Interfaces have no index signature; their members are what is sent. */
const members = (body: object | undefined): Record<string, unknown> | undefined =>
  body === undefined ? undefined : { ...body }
