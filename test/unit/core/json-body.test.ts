import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type BodySource, readJsonBody } from '../../../src/core/json-body.ts'

const readJson = async (source: BodySource) => (await readJsonBody(source)).value
const parseJson = (bytes: Buffer) => readJson(viewOf(bytes, 'application/json'))
const viewOf = (body: string | Buffer, ...types: string[]): BodySource => ({
  headerValues: name => (name === 'content-type' ? types : []),
  body: async () => Buffer.from(body),
})

test('H 79: only JSON in UTF-8 is taken, by exact content type', async () => {
  const accepted = [
    'application/json',
    'Application/JSON',
    'application/json; charset=utf-8',
    'application/json;charset="UTF-8"',
  ]
  for (const type of accepted) assert.deepEqual(await readJson(viewOf('{"a":1}', type)), { a: 1 }, type)
  const refused = [
    'text/plain',
    'application/jsonx',
    'text/plain; application/json',
    'application/json, text/plain',
    'application/json; charset=utf-16',
    'application/json; charset=latin1',
    'application/json; boundary=x',
    'application/x-www-form-urlencoded',
    '',
  ]
  for (const type of refused) await assert.rejects(readJson(viewOf('{}', type)), { code: 'ERR_CONTENT_TYPE' }, type)
  await assert.rejects(readJson(viewOf('{}')), { code: 'ERR_CONTENT_TYPE' })
  await assert.rejects(readJson(viewOf('{}', 'application/json', 'application/json')), { code: 'ERR_CONTENT_TYPE' })
})

test('H 79: broken JSON and broken UTF-8 are 400, and nothing quotes them', async () => {
  const broken = [
    '',
    ' ',
    '{',
    '{"secret":"hunter2",}',
    "{'a':1}",
    'undefined',
    'NaN',
    '"\u0001"',
    '\ufeff{}',
    Buffer.from([0x22, 0xff, 0x22]),
    Buffer.from([0x22, 0xc0, 0xaf, 0x22]),
    Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]),
    Buffer.from('{}', 'utf16le'),
  ]
  for (const body of broken) {
    await assert.rejects(readJson(viewOf(body, 'application/json')), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'ERR_BODY_INVALID')
      assert.equal(error.cause, undefined)
      assert.doesNotMatch(error.message, /hunter2/)
      return true
    })
  }
})

test('H 79: deep nesting is refused before it is parsed, whatever its size', async () => {
  const nested = (depth: number) => Buffer.from(`${'[{"a":'.repeat(depth / 2)}1${'}]'.repeat(depth / 2)}`)
  await parseJson(nested(64))
  await assert.rejects(parseJson(nested(66)), { code: 'ERR_BODY_INVALID' })
  await assert.rejects(parseJson(Buffer.from('['.repeat(1_000_000))), { code: 'ERR_BODY_INVALID' })
  await assert.rejects(parseJson(Buffer.from('{"a":'.repeat(200_000))), { code: 'ERR_BODY_INVALID' })
  const brackets = '['.repeat(500)
  assert.deepEqual(await parseJson(Buffer.from(JSON.stringify([`${brackets}\\"${brackets}`]))), [
    `${brackets}\\"${brackets}`,
  ])
})

test('H 79: `__proto__` is an ordinary key and changes no prototype', async () => {
  const value = await parseJson(
    Buffer.from('{"__proto__":{"admin":true},"__proto__":{"admin":1},"constructor":{"prototype":{}}}'),
  )
  assert.deepEqual(Object.keys(value as object), ['__proto__', 'constructor'])
  assert.equal(Object.getPrototypeOf(value), Object.prototype)
  assert.equal((value as { admin?: unknown }).admin, undefined)
  assert.equal(({} as { admin?: unknown }).admin, undefined)
})
