/** Attacks on the store through its routes: keys, scopes, cursors, sizes and races that reach for another tenant. */

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  as,
  endScene,
  expectStatus,
  getValue,
  install,
  isOk,
  kvUrl,
  putValue,
  setScene,
  type Tenant,
} from './support.ts'

let tenant: Tenant
let neighbour: Tenant
const scene = setScene({}, async at => {
  tenant = await install(at)
  neighbour = await install(at)
})

const list = (one: Tenant, query = '') => as(scene, one, `/hipchat/kv/list${query}`)
const remove = (one: Tenant, key: string, scopes: readonly string[] = []) =>
  as(scene, one, kvUrl(key, scopes), { method: 'DELETE' })

test('E 45: no route of the store answers without a tenant', async () => {
  for (const method of ['GET', 'PUT', 'DELETE']) {
    expectStatus(
      await scene.http.send('/hipchat/kv?key=a', { method, ...(method === 'PUT' ? { body: { value: 1 } } : {}) }),
      [401],
    )
  }
  expectStatus(await scene.http.send('/hipchat/kv/list'), [401])
})

const KEYS: Readonly<Record<string, string>> = {
  'a colon': 'a:b',
  'the separator twice': 'a::b',
  'a slash': 'a/b',
  'two dots': '../a',
  'a star': '*',
  'a pattern': '.*',
  'a like pattern': 'a%_',
  'a quote': "a' or 'a'='a",
  'a double quote': 'a"b',
  'a statement': "'); drop table pw.kv; --",
  'a back slash': 'a\\b',
  'percent encoding': 'a%2fb',
  'the name __proto__': '__proto__',
  'the name constructor': 'constructor',
  'the name toString': 'toString',
  'a number': '0',
  'a blank': ' ',
  'a blank after': 'a ',
  'a line break': 'a\nb',
  'a composed accent': '\u00e9',
  'a combining accent': 'e\u0301',
  'an upper case letter': 'A',
  'a lower case letter': 'a',
  'a Turkish i': '\u0130',
  'a sharp s': '\u00df',
  'a zero-width blank': 'a\u200b',
  'an emoji': '\u{1f600}',
  'a private letter': '\ue000',
  JSON: '{"$ne":1}',
  '1,024 bytes': 'k'.repeat(1024),
}

describe('E 47, E 48, E 49: keys', () => {
  for (const [name, key] of Object.entries(KEYS)) {
    test(`E 47, E 48, E 49: ${name} is an ordinary key`, async () => {
      const value = { of: name }
      expectStatus(await getValue(scene, tenant, key), [404])
      assert.equal(isOk(await putValue(scene, tenant, key, value)), true)
      assert.deepEqual((await getValue(scene, tenant, key)).json?.value, value)
      expectStatus(await getValue(scene, neighbour, key), [404])
      expectStatus(await getValue(scene, tenant, key, ['s']), [404])
    })
  }

  test('E 48: all those keys are there at once, each with its own value', async () => {
    for (const [name, key] of Object.entries(KEYS)) {
      assert.deepEqual((await getValue(scene, tenant, key)).json?.value, { of: name })
    }
    assert.deepEqual((await list(neighbour)).json?.items, {})
  })

  const refused: Readonly<Record<string, string>> = {
    'the empty key': 'key=',
    'no key': 'x=1',
    'a NUL': 'key=a%00b',
    'a key of 1,025 bytes': `key=${'k'.repeat(1025)}`,
    'a key of 1,026 bytes in 513 letters': `key=${'%C3%A9'.repeat(513)}`,
    'two keys': 'key=a&key=b',
  }
  for (const [name, query] of Object.entries(refused)) {
    test(`E 48: ${name} is refused with 400`, async () => {
      for (const [method, body] of [
        ['GET', undefined],
        ['PUT', { value: 1 }],
        ['DELETE', undefined],
      ] as const) {
        expectStatus(await as(scene, tenant, `/hipchat/kv?${query}`, { method, body }), [400], method)
      }
    })
  }
})

test('E 48: keys that are no UTF-8 are refused, or at least never meet', async () => {
  for (const [key, other] of [
    ['%ff', '%fe'],
    ['%ED%A0%80', '%ED%A0%81'],
    ['%C3', '%EF%BF%BD'],
  ]) {
    const answer = await as(scene, tenant, `/hipchat/kv?key=${key}`, { method: 'PUT', body: { value: key } })
    expectStatus(answer, [200, 201, 204, 400], key)
    expectStatus(await as(scene, tenant, `/hipchat/kv?key=${other}`), [400, 404], `${key} was read as ${other}`)
  }
})

test('E 47: scopes that would join to the same text stay apart', async () => {
  const one = await install(scene)
  const places: readonly (readonly string[])[] = [
    [],
    ['a'],
    ['a', 'b'],
    ['a:b'],
    ['a/b'],
    ['a', ''],
    ['', 'a'],
    ['a\u0001b'],
    ['b', 'a'],
    ['a', 'b', 'c'],
    ['a', 'b:c'],
    ['a:b', 'c'],
    ['["a"]'],
    ['a,b'],
    ['__proto__'],
    ['..'],
    ['%'],
    ['a%3Ab'],
  ]
  const taken: (readonly string[])[] = []
  for (const scopes of places) {
    const answer = await putValue(scene, one, 'k', scopes.join('|'), scopes)
    expectStatus(answer, [200, 201, 204, 400], JSON.stringify(scopes))
    if (isOk(answer)) taken.push(scopes)
  }
  assert.equal(taken.length >= 12, true, 'too few scopes were taken')
  for (const scopes of taken) assert.equal((await getValue(scene, one, 'k', scopes)).json?.value, scopes.join('|'))
  await remove(one, 'k', ['a'])
  assert.equal((await getValue(scene, one, 'k', ['a', 'b'])).json?.value, 'a|b')
  assert.equal((await getValue(scene, one, 'k', ['a:b'])).json?.value, 'a:b')
})

test("E 47: a tenant's id, a table or a registry name as a scope or key reaches nothing", async () => {
  await putValue(scene, neighbour, 'private', 'not yours')
  for (const scopes of [
    [neighbour.id],
    ['..', neighbour.id],
    ['tenant', neighbour.id],
    ['', neighbour.id],
    ['data'],
    ['token'],
  ]) {
    expectStatus(await getValue(scene, tenant, 'private', scopes), [400, 404], JSON.stringify(scopes))
  }
  const answer = await getValue(scene, tenant, `${neighbour.id}:data:private`)
  expectStatus(answer, [404])
  await remove(neighbour, 'private')
})

test('E 47: nine scopes deep is refused, eight are not', async () => {
  const deep = ['1', '2', '3', '4', '5', '6', '7', '8']
  expectStatus(await putValue(scene, tenant, 'deep', 1, deep), [200, 201, 204])
  expectStatus(await putValue(scene, tenant, 'deep', 1, [...deep, '9']), [400])
})

const VALUES: Readonly<Record<string, string>> = {
  'a member named __proto__': '{"__proto__":{"admin":true},"a":1}',
  'a member named constructor': '{"constructor":{"prototype":{"x":1}},"toString":5}',
  'nested prototypes': '[{"__proto__":{"__proto__":{"then":1}}}]',
  'a text with a NUL': '"a\\u0000b"',
  'a text with markup': '"<script>alert(1)</script>\\u2028"',
  'an empty text': '""',
  'a small number': '1e-7',
  'a negative zero text': '"-0"',
  false: 'false',
  'an empty object': '{}',
  'an empty list': '[]',
  'a list of nulls': '[null,null]',
  'members in their order': '{"z":1,"a":2,"10":3,"9":4}',
  'a deep list': `${'['.repeat(60)}${']'.repeat(60)}`,
}

describe('E 50: values', () => {
  for (const [name, text] of Object.entries(VALUES)) {
    test(`E 50: ${name} comes back as it was stored`, async () => {
      const body = `{"value":${text}}`
      const headers = { 'content-type': 'application/json' }
      expectStatus(await as(scene, tenant, kvUrl('value'), { method: 'PUT', body, headers }), [200, 201, 204])
      assert.equal((await getValue(scene, tenant, 'value')).text.includes(JSON.stringify(JSON.parse(text))), true)
      assert.equal(Object.hasOwn(Object.prototype, 'admin'), false)
      assert.deepEqual((await as(scene, tenant, '/hipchat/whoami')).json, { tenant: tenant.id })
    })
  }

  test('E 53: 256 KiB is taken, a byte more is refused with 413 and leaves the old value', async () => {
    const limit = 256 * 1024
    assert.equal(isOk(await putValue(scene, tenant, 'large', 'x'.repeat(limit - 2))), true)
    expectStatus(await putValue(scene, tenant, 'large', 'x'.repeat(limit - 1)), [413])
    assert.equal(String((await getValue(scene, tenant, 'large')).json?.value).length, limit - 2)
    await remove(tenant, 'large')
  })
})

describe('E 51, E 52: lists and cursors', () => {
  const names = Array.from({ length: 25 }, (_, index) => `item-${String(index).padStart(2, '0')}`)

  test('E 51: paging shows every key of this tenant once', async () => {
    const one = await install(scene)
    for (const name of names) await putValue(scene, one, name, name)
    await putValue(scene, one, 'nested', 1, ['scope'])
    const seen: string[] = []
    let cursor = ''
    for (let page = 0; page < 30; page += 1) {
      const answer = await list(
        one,
        `?limit=7&prefix=item-${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`,
      )
      expectStatus(answer, [200])
      seen.push(...Object.keys(answer.json?.items ?? {}))
      if (typeof answer.json?.cursor !== 'string' || answer.json.cursor === '') break
      cursor = answer.json.cursor
    }
    assert.deepEqual(seen, names)
  })

  test('E 51: a prefix is a literal text', async () => {
    const one = await install(scene)
    for (const key of ['a%b', 'aXb', 'a_b', 'a.b', 'a*b', 'A%B']) await putValue(scene, one, key, 1)
    for (const [prefix, expected] of [
      ['a%', ['a%b']],
      ['a_', ['a_b']],
      ['a.', ['a.b']],
      ['.*', []],
      ['%', []],
      ['a*', ['a*b']],
    ] as const) {
      const answer = await list(one, `?prefix=${encodeURIComponent(prefix)}`)
      assert.deepEqual(Object.keys(answer.json?.items ?? {}), expected, prefix)
    }
  })

  test('E 51: limits that are no small positive whole number are refused with 400', async () => {
    for (const limit of ['0', '-1', '1.5', 'abc', '', '99999999999999999999', 'NaN', '%00', '1;2', '1001000']) {
      expectStatus(await list(tenant, `?limit=${limit}`), [400], limit)
    }
  })

  test('E 52: a cursor of another tenant, another query, edited or made up is refused and shows nothing', async () => {
    const [one, other] = [await install(scene), await install(scene)]
    for (const name of names.slice(0, 6)) {
      await putValue(scene, one, name, `of one ${name}`)
      await putValue(scene, other, name, `of other ${name}`)
    }
    const cursor = String((await list(one, '?limit=2')).json?.cursor)
    assert.equal(isOk(await list(one, `?limit=2&cursor=${encodeURIComponent(cursor)}`)), true, 'the control')
    const middle = Math.floor(cursor.length / 2)
    const swapped = cursor.slice(0, middle) + (cursor[middle] === 'A' ? 'B' : 'A') + cursor.slice(middle + 1)
    const bad: readonly (readonly [string, Tenant, string, string])[] = [
      ['another tenant', other, cursor, ''],
      ['another prefix', one, cursor, '&prefix=item-'],
      ['edited', one, swapped, ''],
      ['cut', one, cursor.slice(0, -1), ''],
      ['longer', one, `${cursor}A`, ''],
      ['doubled', one, cursor + cursor, ''],
      ['made up', one, Buffer.from('{"after":"item-00"}').toString('base64url'), ''],
      ['a key', one, 'item-02', ''],
      ['a statement', one, "' or 1=1 --", ''],
      ['4 kB', one, 'A'.repeat(4096), ''],
    ]
    for (const [name, who, text, more] of bad) {
      const answer = await list(who, `?limit=2&cursor=${encodeURIComponent(text)}${more}`)
      expectStatus(answer, [400, 403], name)
      assert.equal(answer.text.includes('item-'), false, name)
    }
  })
})

describe('E 54: races', () => {
  test('E 54: 40 writers of one key leave one whole value', async () => {
    const values = Array.from({ length: 40 }, (_, index) => ({ index, filler: String(index).repeat(500) }))
    const answers = await Promise.all(values.map(value => putValue(scene, tenant, 'raced', value)))
    for (const answer of answers) assert.equal(isOk(answer), true, answer.text)
    const last = (await getValue(scene, tenant, 'raced')).json?.value as { index: number }
    assert.deepEqual(last, values[last.index])
  })

  test('E 46: two tenants that write and read the same keys at once see their own values alone', async () => {
    const rounds = Array.from({ length: 30 }, async (_, index) => {
      const one = index % 2 === 0 ? tenant : neighbour
      await putValue(scene, one, `shared-${index >> 1}`, one.id)
      return [(await getValue(scene, one, `shared-${index >> 1}`)).json?.value, one.id] as const
    })
    for (const [seen, expected] of await Promise.all(rounds)) assert.equal(seen, expected)
  })
})

endScene(scene)
