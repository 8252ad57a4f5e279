// Files as multipart/related: parts, borders that occur in no part, names that cannot leave their quotes, limits.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { multipartRelated, type SharedFile } from '../../../../../src/dialects/hipchat/rest/share.ts'
import { apiCalls, ready } from '../client-world.ts'

const FIRST = Buffer.alloc(16, 1)
const SECOND = Buffer.alloc(16, 2)
/** Gives the first border `repeats` times before the second. */
function borders(repeats: number) {
  let asked = 0
  return {
    bytes: () => {
      asked += 1
      return asked <= repeats ? FIRST : SECOND
    },
  }
}
const borderOf = (bytes: Buffer) => `partywall-${bytes.toString('hex')}`
const make = (file: SharedFile, message?: string) => multipartRelated(file, message, borders(9)).bytes.toString()

test('a file travels behind its message, each part under its own type', () => {
  const { type, bytes } = multipartRelated(
    { name: 'tea.png', content: Buffer.from([0, 255, 13, 10]), contentType: 'image/png' },
    'see "this"',
    borders(9),
  )
  const border = borderOf(FIRST)
  assert.equal(type, `multipart/related; boundary=${border}`)
  const head = [
    `--${border}`,
    'Content-Type: application/json; charset=UTF-8',
    'Content-Disposition: attachment; name="metadata"',
    '',
    '{"message":"see \\"this\\""}',
    `--${border}`,
    'Content-Type: image/png',
    'Content-Disposition: attachment; name="file"; filename="tea.png"',
    '',
    '',
  ].join('\r\n')
  const tail = Buffer.from(`\r\n--${border}--\r\n`)
  assert.deepEqual(bytes, Buffer.concat([Buffer.from(head), Buffer.from([0, 255, 13, 10]), tail]))
})

test('no message is an empty object', () => {
  assert.match(make({ name: 'a', content: '' }), /\r\n\r\n\{\}\r\n--/)
})

test('a border that occurs in the file or the message is not taken', () => {
  const border = borderOf(FIRST)
  const inFile = multipartRelated({ name: 'a', content: `x--${border}--` }, undefined, borders(2))
  const inMessage = multipartRelated({ name: 'a', content: 'x' }, border, borders(1))
  for (const { type } of [inFile, inMessage]) {
    assert.equal(type, `multipart/related; boundary=${borderOf(SECOND)}`)
  }
})

test('names with quotes, percent signs or other letters are told twice, and stay inside', () => {
  const line = (name: string) => /filename.*/.exec(make({ name, content: '' }))?.[0]?.trim()
  assert.equal(line('a b.txt'), 'filename="a b.txt"')
  assert.equal(line('a"; x="b'), `filename="a_; x=_b"; filename*=UTF-8''a%22%3B%20x%3D%22b`)
  assert.equal(line("ä'(1)*.txt"), `filename="_'(1)*.txt"; filename*=UTF-8''%C3%A4%27%281%29%2a.txt`)
  assert.equal(line('100%22.txt'), `filename="100_22.txt"; filename*=UTF-8''100%2522.txt`)
})

const WRONG: readonly (readonly [string, unknown])[] = [
  ['name', { name: '', content: '' }],
  ['name', { name: 'a\r\nContent-Type: text/html', content: '' }],
  ['name', { name: '../a', content: '' }],
  ['name', { name: 'a\\b', content: '' }],
  ['name', { name: '\ud800', content: '' }],
  ['name', { name: 'x'.repeat(256), content: '' }],
  ['contentType', { name: 'a', content: '', contentType: 'text/html\r\nX: y' }],
  ['contentType', { name: 'a', content: '', contentType: 'html' }],
  ['content', { name: 'a', content: 5 }],
  ['content', { name: 'a', content: Buffer.alloc(20 * 1024 * 1024 + 1) }],
]
for (const [field, file] of WRONG) {
  test(`refused for its ${field}: ${JSON.stringify(file).slice(0, 60)}`, async () => {
    const { world, run } = await ready({ scopes: ['send_message'] })
    await assert.rejects(
      run(ctx => ctx.tenantClient.shareFileWithRoom(5, file as SharedFile)),
      { code: 'ERR_CALL_INVALID', details: { field } },
    )
    assert.equal(world.calls.length, 0)
  })
}

test('what is sent has the type with its border, and time enough', async () => {
  const { world, run } = await ready({ scopes: ['send_message'] })
  await run(ctx => ctx.tenantClient.forUser('@ada').shareFileWithUser({ name: 'a', content: 'hello' }, 'see'))
  const [call] = apiCalls(world)
  assert.match(call?.headers?.['content-type'] ?? '', /^multipart\/related; boundary=partywall-[0-9a-f]{32}$/)
  assert.ok(String(call?.body).includes('\r\n\r\nhello\r\n--partywall-'))
  assert.equal(call?.timeoutMs, 60_000)
})
