/**
 * What every tenant store must do, as named cases without a test runner. A case gets two tenants and throws when a promise
 * is broken; run each under the runner you use: `for (const c of storeCases) test(c.name, () => c.run(harness))`.
 */

import assert from 'node:assert/strict'
import type { TenantStore } from '../core/store.ts'
import type { JsonValue } from '../core/tenant.ts'
import { storeAtomicCases } from './store-atomic-cases.ts'
import { equal, HOSTILE_NAMES, refuses } from './store-case-tools.ts'
import { storeListCases } from './store-list-cases.ts'

/** Empty stores of two tenants. Every case gets a harness of its own. */
export interface StoreHarness {
  readonly one: TenantStore
  /** The same tenant as `one`, as another process would see it. */
  readonly oneElsewhere: TenantStore
  readonly other: TenantStore
}

export interface StoreCase {
  readonly name: string
  run(harness: StoreHarness): Promise<void>
}

const valueCases: readonly StoreCase[] = [
  {
    name: 'a missing key is undefined, and deleting it says that nothing was there',
    async run({ one }) {
      equal(await one.get('missing'), undefined)
      equal(await one.entry('missing'), undefined)
      equal(await one.del('missing'), false)
      equal([...(await one.getMany(['missing']))], [])
      equal([...(await one.getMany([]))], [])
    },
  },
  {
    name: 'E 50: values come back as JSON has them, property by property',
    async run({ one }) {
      const values: JsonValue[] = [
        null,
        true,
        0,
        -1.5,
        1e300,
        '',
        'a\u0000b',
        '\ud800',
        'é',
        [],
        {},
        [null, [1]],
        { b: 1, a: { '': 2 } },
      ]
      for (const value of values) {
        await one.set('value', value)
        equal(JSON.stringify(await one.get('value')), JSON.stringify(value))
      }
      await one.set('not a number', Number.NaN)
      equal(await one.get('not a number'), null)
    },
  },
  {
    name: 'E 50: a value is replaced, never merged, and what was handed out is a copy',
    async run({ one }) {
      const value = { list: [1], kept: true }
      await one.set('value', value)
      value.list.push(2)
      const [first, second] = await Promise.all([one.get('value'), one.get('value')])
      equal(first, { list: [1], kept: true })
      assert.notEqual(first, second)
      await one.set('value', { other: 1 })
      equal(await one.get('value'), { other: 1 })
    },
  },
  {
    name: 'E 49: __proto__, constructor and toString are ordinary keys, scopes and properties',
    async run({ one }) {
      const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'then']
      for (const name of names) equal(await one.get(name), undefined)
      for (const name of names) {
        await one.set(name, JSON.parse(`{"${name}": {"polluted": "${name}"}}`))
        await one.narrow(name).set('inside', name)
      }
      for (const name of names) {
        const value = await one.get(name)
        equal(JSON.stringify(value), `{"${name}":{"polluted":"${name}"}}`)
        assert.ok(Object.hasOwn(Object(value), name), `${name} must be a property of its own`)
        equal(await one.narrow(name).get('inside'), name)
      }
      const all = await one.all()
      equal(Object.keys(all).sort(), [...names].sort())
      equal(Object.getPrototypeOf(all), null)
      equal('polluted' in {}, false)
    },
  },
  {
    name: 'E 47: two tenants use the same keys, however they are spelled, and never meet',
    async run({ one, other }) {
      await Promise.all(HOSTILE_NAMES.map(name => one.set(name, `one ${name}`)))
      for (const name of HOSTILE_NAMES) equal(await other.get(name), undefined)
      await Promise.all(HOSTILE_NAMES.map(name => other.set(name, `other ${name}`)))
      for (const name of HOSTILE_NAMES) {
        equal(await one.get(name), `one ${name}`)
        equal(await other.get(name), `other ${name}`)
      }
      equal(Object.keys(await one.all()).length, HOSTILE_NAMES.length)
      equal((await one.getMany(HOSTILE_NAMES)).size, HOSTILE_NAMES.length)
    },
  },
  {
    name: 'E 47: no two scopes share a key, whatever their names contain',
    async run({ one }) {
      const paths = [
        [],
        ['a'],
        ['b'],
        ['a', 'b'],
        ['a:b'],
        ['a/b'],
        ['a%3Ab'],
        ['a', 'b', 'c'],
        ['a:b', 'c'],
        ['a', 'b:c'],
        ['1:a/'],
        ['1:a', ''.padEnd(3, '/')],
        ['1:a/1:b/'],
        ['a/1:b'],
        ['%'],
        ['%25'],
        ['*'],
        ['..'],
        ["'"],
        ['ab'],
        ['A'],
      ]
      const storeAt = (path: readonly string[]) => path.reduce((store, part) => store.narrow(part), one)
      for (const path of paths) await storeAt(path).set('key', path)
      for (const path of paths) equal(await storeAt(path).get('key'), path)
      for (const path of paths) equal(await storeAt(path).all(), { key: path })
    },
  },
  {
    name: 'E 48: keys are exact bytes: case, normal forms, blanks and every character count',
    async run({ one }) {
      const keys = [
        'e',
        'E',
        '\u00e9',
        'e\u0301',
        'e ',
        ' e',
        'e\t',
        'e\n',
        'e\u0001',
        'ß',
        'ss',
        'ﬁ',
        'fi',
        '\u{1f600}',
        'e\u200b',
        '\ufeffe',
      ]
      for (const key of keys) await one.set(key, key)
      for (const key of keys) equal(await one.get(key), key)
      equal(Object.keys(await one.all()).length, keys.length)
      equal([...(await one.getMany(keys))].length, keys.length)
    },
  },
  {
    name: 'E 48: keys and scopes that are too long or cannot be kept are refused, not cut',
    async run({ one }) {
      const longest = [...['k', 'é', '\u{1f600}'].map(text => text.repeat(1_024 / Buffer.byteLength(text)))]
      for (const name of longest) {
        await one.narrow(name).set(name, 1)
        equal(await one.narrow(name).get(name), 1)
      }
      for (const bad of [
        '',
        'k'.repeat(1_025),
        `${'é'.repeat(512)}k`,
        'a\u0000b',
        '\ud800',
        'a\udc00b',
        7,
        null,
        undefined,
        {},
      ]) {
        const key = bad as string
        await refuses('ERR_KEY_INVALID', () => one.get(key))
        await refuses('ERR_KEY_INVALID', () => one.getMany(['good', key]))
        await refuses('ERR_KEY_INVALID', () => one.entry(key))
        await refuses('ERR_KEY_INVALID', () => one.set(key, 1))
        await refuses('ERR_KEY_INVALID', () => one.del(key))
        await refuses('ERR_KEY_INVALID', () => one.update(key, () => 1))
        await refuses('ERR_SCOPE_INVALID', async () => one.narrow(key))
      }
      const eight = Array.from('12345678').reduce((store, part) => store.narrow(part), one)
      await eight.set('deep', 1)
      await refuses('ERR_SCOPE_INVALID', async () => eight.narrow('9'))
      await refuses('ERR_SCOPE_INVALID', async () => one.narrow('a'.repeat(1_000)).narrow('b'.repeat(1_000)))
    },
  },
  {
    name: 'E 53: values above 256 KiB of JSON are refused with 413, at the limit they are kept',
    async run({ one }) {
      const largest = 'é'.repeat((256 * 1_024 - 2) / 2)
      await one.set('large', largest)
      equal(await one.get('large'), largest)
      const error = await refuses('ERR_VALUE_TOO_LARGE', () => one.set('large', `${largest}k`))
      equal(error.status, 413)
      await refuses('ERR_VALUE_TOO_LARGE', () => one.update('large', value => `${value}k`))
      equal(await one.get('large'), largest)
    },
  },
  {
    name: 'values without JSON are refused',
    async run({ one }) {
      const cycle: { self?: unknown } = {}
      cycle.self = cycle
      const deep = JSON.parse(`${'['.repeat(50_000)}${']'.repeat(50_000)}`)
      for (const value of [undefined, () => 1, Symbol('s'), 1n, { n: 1n }, cycle, deep, { toJSON: () => undefined }]) {
        await refuses('ERR_VALUE_INVALID', () => one.set('value', value as string))
      }
      equal(await one.get('value'), undefined)
    },
  },
]

export const storeCases: readonly StoreCase[] = [...valueCases, ...storeListCases, ...storeAtomicCases]
