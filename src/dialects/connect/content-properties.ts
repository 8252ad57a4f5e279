/**
 * Properties of Confluence's content (protocol s. 8). The product gives each a version and refuses a write that does not follow
 * the present one: here a write reads, adds one, and tries again where another writer was faster.
 */

import * as z from 'zod'
import { PartywallError } from '../../core/errors.ts'
import type { JsonValue } from '../../core/tenant.ts'
import { segment } from '../common/address.ts'
import { checkAnswer } from '../common/check.ts'
import { checkKey, checkValue, type ProductProperties } from './app-properties.ts'
import type { Exchange } from './host-api.ts'

const MAX_WRITES = 4
const PAGE = 100
/** Pages of keys that are followed at most. */
const MAX_PAGES = 100
const propertyShape = z.looseObject({
  value: z.json(),
  version: z.looseObject({ number: z.number().int().nonnegative() }),
})
const pageShape = z.looseObject({ results: z.array(z.looseObject({ key: z.string() })) })

/** @throws PartywallError ERR_OUTBOUND_URL for an id that no path can hold */
export function createContentProperties(exchange: Exchange, contentId: string | number): ProductProperties {
  const base = `/rest/api/content/${segment(contentId)}/property`
  const read = async (key: string) => {
    const answer = await exchange('GET', `${base}/${key}`, { expect: [200, 404] })
    return answer.status === 404 ? undefined : checkAnswer(propertyShape, answer.body)
  }

  /** @returns whether it was new; `undefined` when another writer was faster */
  const write = async (key: string, name: string, value: JsonValue): Promise<boolean | undefined> => {
    const present = await read(name)
    if (present === undefined) {
      const { status } = await exchange('POST', base, { body: { key, value }, expect: [200, 201, 409] })
      return status === 409 ? undefined : true
    }
    const version = { number: present.version.number + 1 }
    const { status } = await exchange('PUT', `${base}/${name}`, {
      body: { key, value, version },
      expect: [200, 404, 409],
    })
    return status === 200 ? false : undefined
  }

  return {
    get: async key => (await read(checkKey(key)))?.value,
    async set(key, value) {
      const name = checkKey(key)
      checkValue(value)
      for (let writes = 0; writes < MAX_WRITES; writes += 1) {
        const isNew = await write(key, name, value)
        if (isNew !== undefined) return { isNew }
      }
      throw new PartywallError('ERR_UPDATE_CONTENTION')
    },
    async del(key) {
      const { status } = await exchange('DELETE', `${base}/${checkKey(key)}`, { expect: [204, 404], scope: 'WRITE' })
      return status === 204
    },
    async list() {
      const keys: string[] = []
      for (let page = 0; page < MAX_PAGES; page += 1) {
        const query = { start: page * PAGE, limit: PAGE }
        const { results } = checkAnswer(pageShape, (await exchange('GET', base, { query })).body)
        keys.push(...results.map(({ key }) => key))
        if (results.length < PAGE) break
      }
      return keys
    },
  }
}
