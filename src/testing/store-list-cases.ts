/** Cases of the tenant store: listing, cursors, `all`, `clear`. */

import assert from 'node:assert/strict'
import type { TenantStore } from '../core/store.ts'
import type { JsonValue } from '../core/tenant.ts'
import { equal, HOSTILE_NAMES, refuses } from './store-case-tools.ts'
import type { StoreCase } from './store-cases.ts'

export const storeListCases: readonly StoreCase[] = [
  {
    name: 'E 51: pages of every size hold each key once, in byte order, for hostile names too',
    async run({ one, other }) {
      await Promise.all(HOSTILE_NAMES.map(name => one.set(name, name)))
      await other.set('a stranger', 1)
      await one.narrow('below').set('another scope', 1)
      const expected = [...HOSTILE_NAMES].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      for (const limit of [1, 7, HOSTILE_NAMES.length, 1_000]) equal(await walk(one, { limit }), expected)
    },
  },
  {
    name: 'E 51: paging neither skips nor repeats unchanged rows while others come and go',
    async run({ one }) {
      const kept = Array.from({ length: 40 }, (_, index) => `kept-${String(index).padStart(2, '0')}`)
      await Promise.all(kept.map(key => one.set(key, 1)))
      const seen: string[] = []
      let cursor: string | undefined
      let turn = 0
      do {
        const page = await one.list({ limit: 3, ...(cursor === undefined ? {} : { cursor }) })
        seen.push(...Object.keys(page.items).filter(key => key.startsWith('kept')))
        cursor = page.cursor
        turn++
        await one.set(`kept-0${turn % 10}-new`, 1)
        await one.del(`kept-0${(turn + 5) % 10}-new`)
        // The row the cursor points at may go: the cursor is a place, not a row.
      } while (cursor !== undefined)
      equal(
        seen.filter(key => kept.includes(key)),
        kept,
      )
    },
  },
  {
    name: 'E 51: a prefix is literal text',
    async run({ one }) {
      const keys = [
        'a',
        'a%',
        'a%b',
        'a_',
        'axb',
        'a\\',
        'a\\b',
        'A%b',
        'b',
        'a\u{10ffff}',
        'a\u{10ffff}z',
        '\u{10ffff}',
        '\u007f',
        '\u007fz',
        '\ud7ffz',
        '\ue000z',
      ]
      await Promise.all(keys.map(key => one.set(key, 1)))
      for (const prefix of ['', ...keys, 'zz', 'a\u{10ffff}\u{10ffff}']) {
        const expected = keys
          .filter(key => key.startsWith(prefix))
          .sort((x, y) => Buffer.compare(Buffer.from(x), Buffer.from(y)))
        equal(await walk(one, { prefix, limit: 2 }), expected)
      }
      for (const prefix of ['a\u0000', '\ud800', 'k'.repeat(1_025), 5]) {
        await refuses('ERR_KEY_INVALID', () => one.list({ prefix: prefix as string }))
      }
    },
  },
  {
    name: 'E 51: limits are whole numbers from 1 to 1,000',
    async run({ one }) {
      for (const limit of [0, -1, 1_001, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '10', null]) {
        await refuses('ERR_LIMIT_INVALID', () => one.list({ limit: limit as number }))
      }
      await refuses('ERR_LIMIT_INVALID', () => one.getMany(Array.from({ length: 1_001 }, (_, index) => `k${index}`)))
      equal(Object.keys((await one.list({ limit: 1_000 })).items), [])
    },
  },
  {
    name: 'E 52: a cursor works for its tenant, scope and prefix, and for nothing else',
    async run({ one, oneElsewhere, other }) {
      for (const store of [one, other, one.narrow('scope'), other.narrow('scope')]) {
        for (const key of ['pa', 'pb', 'pc']) await store.set(key, key)
      }
      const { cursor } = await one.list({ limit: 1 })
      assert.ok(cursor !== undefined, 'the page must end with a cursor')
      equal(Object.keys((await oneElsewhere.list({ limit: 2, cursor })).items), ['pb', 'pc'])
      const strangers: (() => Promise<unknown>)[] = [
        () => other.list({ limit: 1, cursor }),
        () => one.narrow('scope').list({ limit: 1, cursor }),
        () => one.list({ limit: 1, prefix: 'p', cursor }),
        ...spoil(cursor).map(spoiled => () => one.list({ limit: 1, cursor: spoiled as string })),
      ]
      for (const stranger of strangers) await refuses('ERR_CURSOR_INVALID', stranger)
      const scoped = (await one.narrow('scope').list({ limit: 1, prefix: 'p' })).cursor
      assert.ok(scoped !== undefined, 'the page must end with a cursor')
      await refuses('ERR_CURSOR_INVALID', () => one.list({ limit: 1, prefix: 'p', cursor: scoped }))
      await refuses('ERR_CURSOR_INVALID', () => one.narrow('scope').list({ limit: 1, prefix: 'pa', cursor: scoped }))
    },
  },
  {
    name: 'E 51: all() shows the own scope with its own key names, nested names can be told apart',
    async run({ one, other }) {
      await other.set('foreign', 1)
      await one.set('a:b', 'own')
      await one.set('50%', 'own')
      await one.narrow('a').set('b', 'nested')
      await one.narrow('a').narrow('b').set('c', 'deeper')
      await one.narrow('a:b').set('c', 'beside')
      equal(await one.all(), { 'a:b': 'own', '50%': 'own' })
      equal(await one.narrow('a').all(), { b: 'nested' })
      equal(await one.all({ nested: true }), {
        'a%3Ab': 'own',
        '50%25': 'own',
        'a:b': 'nested',
        'a:b:c': 'deeper',
        'a%3Ab:c': 'beside',
      })
      equal(await one.narrow('a').all({ nested: true }), { b: 'nested', 'b:c': 'deeper' })
      equal(await one.narrow('none').all({ nested: true }), {})
    },
  },
  {
    name: 'all() is complete beyond the size of a page',
    async run({ one }) {
      const keys = Array.from({ length: 600 }, (_, index) => `k${String(index).padStart(4, '0')}`)
      await Promise.all(keys.map((key, index) => (index % 3 === 0 ? one.narrow(`s${index % 7}`) : one).set(key, index)))
      equal(Object.keys(await one.all()).length, 400)
      equal(Object.keys(await one.all({ nested: true })).length, 600)
      const page = await one.list({ limit: 399 })
      equal(Object.keys(page.items).length, 399)
      assert.ok(page.cursor !== undefined, 'the page must end with a cursor')
      equal((await one.list({ limit: 400 })).cursor, undefined)
    },
  },
  {
    name: 'E 47: clear() empties a scope and what is below it, and leaves neighbours byte for byte',
    async run({ one, other }) {
      const fill = async (store: TenantStore) => {
        for (const path of [[], ['a'], ['a', 'b'], ['a:b'], ['ab'], ['a/b'], ['b']]) {
          const at = path.reduce((scope, part) => scope.narrow(part), store)
          await Promise.all(['1', '2'].map(key => at.set(key, [path.join('|'), key])))
        }
      }
      await fill(one)
      await fill(other)
      const untouched = JSON.stringify(await other.all({ nested: true }))
      equal(await one.narrow('a').clear(), 4)
      equal(
        Object.keys(await one.all({ nested: true })).sort(),
        ['1', '2', 'a%3Ab:1', 'a%3Ab:2', 'a/b:1', 'a/b:2', 'ab:1', 'ab:2', 'b:1', 'b:2'].sort(),
      )
      equal(await one.clear(), 10)
      equal(await one.clear(), 0)
      equal(JSON.stringify(await one.all({ nested: true })), '{}')
      equal(JSON.stringify(await other.all({ nested: true })), untouched)
    },
  },
]

async function walk(store: TenantStore, options: { prefix?: string; limit: number }): Promise<string[]> {
  const keys: string[] = []
  let cursor: string | undefined
  do {
    const page: { items: Readonly<Record<string, JsonValue>>; cursor?: string } = await store.list({
      ...options,
      ...(cursor === undefined ? {} : { cursor }),
    })
    assert.ok(page.cursor === undefined || page.cursor !== cursor, 'a cursor led back to its own page')
    keys.push(...Object.keys(page.items))
    cursor = page.cursor
  } while (cursor !== undefined)
  return keys
}

/** Everything near a good cursor that is none. */
function spoil(cursor: string): unknown[] {
  const bytes = Buffer.from(cursor, 'base64url')
  const flipped = Array.from(bytes, (byte, at) => {
    const copy = Buffer.from(bytes)
    copy[at] = byte ^ 1
    return copy.toString('base64url')
  })
  return [
    ...flipped,
    ...[
      '',
      ' ',
      'null',
      '!',
      'A'.repeat(22),
      'A'.repeat(40),
      'A'.repeat(10_000),
      `${cursor}A`,
      `${cursor}=`,
      ` ${cursor}`,
    ],
    ...[
      cursor.slice(1),
      cursor.slice(0, -1),
      cursor.toUpperCase(),
      cursor.toLowerCase(),
      bytes.toString('hex'),
      `${cursor}\n`,
    ],
    ...[Buffer.from('pa').toString('base64url'), 7, null, {}, [cursor]],
  ].filter(spoiled => spoiled !== cursor)
}
