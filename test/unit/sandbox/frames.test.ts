// Frames between supervisor and guest: whole messages out of any pieces, and nothing longer than was allowed.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createFrameReader, frameOf } from '../../../src/sandbox/frames.ts'

test('messages come out as they went in, however the bytes are cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.jsonValue(), { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
      (messages, cuts) => {
        const bytes = Buffer.concat(messages.map(frameOf))
        const read: unknown[] = []
        const reader = createFrameReader(1 << 20, message => read.push(message))
        for (let at = 0, n = 0; at < bytes.length; n += 1) {
          const size = cuts[n % cuts.length] ?? 1
          reader.push(bytes.subarray(at, at + size))
          at += size
        }
        assert.deepEqual(read, JSON.parse(JSON.stringify(messages)))
      },
    ),
  )
})

test('a frame that announces too much is refused by its header, one that is no JSON when it is there', () => {
  const head = Buffer.alloc(4)
  head.writeUInt32LE(2_000)
  assert.throws(() => createFrameReader(1_999, () => undefined).push(head), RangeError)
  const broken = Buffer.from(frameOf('x'))
  broken[4] = 0x7b
  assert.throws(() => createFrameReader(100, () => undefined).push(broken), SyntaxError)
})
