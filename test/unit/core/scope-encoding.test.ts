import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  checkKey,
  checkPrefix,
  decodePath,
  encodePath,
  MAX_PATH_BYTES,
  nestedName,
  rangeEnd,
  successor,
} from '../../../src/core/scope-encoding.ts'

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))
/** Names made of what an encoding could trip over, and of anything else. */
const name = fc
  .oneof(
    fc.string({
      unit: fc.constantFrom('a', '1', '2', ':', '/', '%', '\u0001', '\ud7ff', '\ue000', '\u{10ffff}'),
      minLength: 1,
      maxLength: 6,
    }),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }),
  )
  .filter(text => !/[\0\p{Surrogate}]/u.test(text))
const path = fc.array(name, { maxLength: 8 })

test('E 47: the text of a path gives the path back, so no two paths share a text', () => {
  fc.assert(
    fc.property(path, parts => {
      assert.deepEqual(decodePath(encodePath(parts)), parts)
    }),
  )
})

test('E 47: one path text begins with another exactly when it is the same path or below it', () => {
  const tree = fc.tuple(path, path).map(([a, b]) => [a, b] as const)
  fc.assert(
    fc.property(
      fc.oneof(
        tree,
        fc.tuple(path, path).map(([a, b]) => [a.slice(0, 4), [...a.slice(0, 4), ...b.slice(0, 4)]] as const),
      ),
      ([upper, lower]) => {
        const isBelow = upper.every((part, index) => part === lower[index])
        assert.equal(encodePath(lower).startsWith(encodePath(upper)), isBelow)
      },
    ),
  )
})

test('a text that is no path is refused', () => {
  for (const text of ['a', ':', ':/', '1', '1:', '1:a', '2:a/', 'a:b/', '1:a/1', '-1:/', '1:ab/', '1e1:a/']) {
    assert.throws(() => decodePath(text), TypeError, text)
  }
})

test('E 51: a range ends right above everything that begins with its prefix', () => {
  fc.assert(
    fc.property(name, name, (prefix, text) => {
      const end = rangeEnd(prefix)
      const isInRange = byBytes(text, prefix) >= 0 && (end === undefined || byBytes(text, end) < 0)
      assert.equal(isInRange, text.startsWith(prefix))
      assert.equal(end === undefined || byBytes(prefix + text, end) < 0, true)
    }),
  )
  assert.equal(rangeEnd(''), undefined)
  assert.equal(rangeEnd('\u{10ffff}'), undefined)
  assert.equal(rangeEnd('a\u{10ffff}'), 'b')
  assert.equal(rangeEnd('\u007f'), '\u0080')
  assert.equal(rangeEnd('\ud7ff'), '\ue000')
  assert.equal(rangeEnd('\uffff'), '\u{10000}')
})

test('E 51: nothing fits between a text and its successor', () => {
  fc.assert(
    fc.property(name, name, (text, other) => {
      assert.equal(byBytes(other, text) > 0, byBytes(other, successor(text)) >= 0)
    }),
  )
})

test('E 51: nested names tell every path from every other', () => {
  const nonEmpty = fc.array(name, { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(nonEmpty, nonEmpty, (one, other) => {
      assert.equal(nestedName(one) === nestedName(other), JSON.stringify(one) === JSON.stringify(other))
    }),
  )
  assert.equal(nestedName(['a:b', '5%']), 'a%3Ab:5%25')
})

test('E 48: names are refused when too long or impossible, the longest ones are taken', () => {
  const longest = 'é'.repeat(512)
  checkKey(longest)
  checkPrefix('')
  assert.deepEqual(decodePath(encodePath([longest])), [longest])
  for (const bad of ['', `${longest}a`, 'a\0', '\ud800', '\udc00a', 1, undefined]) {
    assert.throws(() => checkKey(bad), { code: 'ERR_KEY_INVALID' })
    assert.throws(() => encodePath(['good', bad]), { code: 'ERR_SCOPE_INVALID' })
  }
  assert.throws(() => encodePath(Array(9).fill('a')), { code: 'ERR_SCOPE_INVALID' })
  assert.throws(() => encodePath(['a'.repeat(MAX_PATH_BYTES / 2), 'b'.repeat(MAX_PATH_BYTES / 2)]), {
    code: 'ERR_SCOPE_INVALID',
  })
})
