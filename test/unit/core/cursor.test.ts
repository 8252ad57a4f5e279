import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { openCursor, sealCursor } from '../../../src/core/cursor.ts'
import { newTenantUid } from '../../../src/core/ids.ts'

const cursorKey = Buffer.alloc(32, 1)
const place = { tenant: newTenantUid(), space: 'store', scope: '1:a/', prefix: 'p' }
const refused = { code: 'ERR_CURSOR_INVALID' }

test('E 52: a cursor opens where it was sealed and gives the key back', () => {
  for (const key of ['p', 'pé', 'p\u{1f600}'.repeat(200).slice(0, 100), 'p'.repeat(1_024)]) {
    assert.equal(openCursor(cursorKey, place, sealCursor(cursorKey, place, key)), key)
  }
})

test('E 52: a cursor is bound to tenant, space, scope, prefix and key', () => {
  const cursor = sealCursor(cursorKey, place, 'pa')
  const others = [
    { ...place, tenant: newTenantUid() },
    { ...place, space: 'kvs' },
    { ...place, scope: '1:b/' },
    { ...place, scope: '' },
    { ...place, prefix: '' },
    { ...place, prefix: 'pa' },
    // The same characters, divided otherwise.
    { ...place, scope: '1:a/p', prefix: '' },
    { ...place, space: 'store1:a/', scope: '' },
  ]
  for (const other of others) assert.throws(() => openCursor(cursorKey, other, cursor), refused)
  assert.throws(() => openCursor(Buffer.alloc(32, 2), place, cursor), refused)
})

test('E 52: each changed bit of a cursor is noticed, and so is another spelling of the same bytes', () => {
  const cursor = sealCursor(cursorKey, place, 'pa')
  const bytes = Buffer.from(cursor, 'base64url')
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const copy = Buffer.from(bytes)
    copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    assert.throws(() => openCursor(cursorKey, place, copy.toString('base64url')), refused)
  }
  for (const spelling of [`${cursor}=`, `${cursor}\n`, ` ${cursor}`, `${cursor.slice(0, 4)}.${cursor.slice(4)}`]) {
    assert.throws(() => openCursor(cursorKey, place, spelling), refused)
  }
})

test('E 52: random text and other types are refused', () => {
  const anything = fc.oneof(fc.base64String(), fc.string({ unit: 'binary' }))
  fc.assert(fc.property(anything, cursor => assert.throws(() => openCursor(cursorKey, place, cursor), refused)))
  for (const other of [undefined, null, 7, {}, [sealCursor(cursorKey, place, 'pa')], 'A'.repeat(1_000_000)]) {
    assert.throws(() => openCursor(cursorKey, place, other), refused)
  }
})
