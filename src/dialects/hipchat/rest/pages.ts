/**
 * Lists of the REST API: one page at a time, or all items as far as the host's own links lead. A link is followed only below the
 * API of the tenant's host, with the scope that the first page was read with.
 */

import * as z from 'zod'
import { PartywallError } from '../../../core/errors.ts'
import { checkAnswer, invalidField } from '../../common/check.ts'
import type { HostCall } from '../host-api.ts'
import type { HipchatScope } from '../options.ts'
import type { Query } from './address.ts'
import { collectionShape, type HipchatCollection } from './shapes.ts'

export interface PageQuery extends Query {
  /** Default 0. */
  readonly startIndex?: number
  /** Default 100, at most 1,000. */
  readonly maxResults?: number
  /** Entities that the host puts in whole: `items.owner`. */
  readonly expand?: string | readonly string[]
}

export interface ItemsOptions {
  /** More is refused rather than cut; default 10,000. */
  readonly maxItems?: number
}

export interface Pages {
  /** 200 with a page of items. */
  readPage<T>(scope: HipchatScope, path: string, item: z.ZodType<T>, query?: Query): Promise<HipchatCollection<T>>
  /**
   * Every item, from a page that this client gave.
   * @throws PartywallError ERR_RESULT_TOO_LARGE; ERR_CALL_INVALID for a page of somebody else; ERR_OUTBOUND_REFUSED for a link that
   *   leads elsewhere; and what the call throws
   * @example for await (const room of tenantClient.items(tenantClient.getRooms({ maxResults: 500 }))) ...
   */
  items<T>(
    first: HipchatCollection<T> | Promise<HipchatCollection<T>>,
    options?: ItemsOptions,
  ): AsyncGenerator<T, void, undefined>
}

type NextPage<T> = (link: string) => Promise<HipchatCollection<T>>

const DEFAULT_MAX_ITEMS = 10_000
/** Empty pages that lead on and on are no list. */
const MAX_PAGES = 1_000

export function createPages(call: HostCall): Pages {
  /** How each page was read, so that the next one is read the same way. */
  const readers = new WeakMap<object, NextPage<unknown>>()

  async function readPage<T>(scope: HipchatScope, path: string, item: z.ZodType<T>, query?: Query) {
    const shape = collectionShape.extend({ items: z.array(item) })
    const page = checkAnswer<HipchatCollection<T>>(
      shape,
      await call('GET', path, { scopes: [scope], expect: [200], query }),
    )
    readers.set(page, link => readPage(scope, link, item))
    return page
  }

  async function* items<T>(
    first: HipchatCollection<T> | Promise<HipchatCollection<T>>,
    { maxItems = DEFAULT_MAX_ITEMS }: ItemsOptions = {},
  ): AsyncGenerator<T, void, undefined> {
    let page = await first
    let given = 0
    for (let pages = 1; ; pages += 1) {
      given += page.items.length
      if (given > maxItems) throw tooLong(given, pages)
      yield* page.items
      const link = page.links?.next
      if (link === undefined || link === null) return
      if (pages === MAX_PAGES) throw tooLong(given, pages)
      // The map cannot say that a page and its reader are of one type; `readPage` sets them together.
      const read = readers.get(page) as NextPage<T> | undefined
      if (read === undefined) throw invalidField('', 'not a page that this client gave', 'the first page')
      page = await read(link)
    }
  }

  return { readPage, items }
}

const tooLong = (items: number, pages: number) =>
  new PartywallError('ERR_RESULT_TOO_LARGE', { details: { items, pages } })
