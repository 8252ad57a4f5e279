// References in paths: every name stays one segment, whatever it holds, and errors do not repeat it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describePath, segment } from '../../../../../src/dialects/common/address.ts'
import { addressOf, roomPath, userPath } from '../../../../../src/dialects/hipchat/rest/address.ts'

const API = 'https://host.example/v2'

test('C 39: names, e-mail addresses and mentions stay one segment of the path', () => {
  const names = [
    'The Den',
    'a/b',
    'a?b#c',
    '../..',
    '..%2f..',
    '%2e%2e',
    'ada@example.com',
    '@ada',
    'ü 茶 🫖',
    '.a',
    '...',
    'a\\b',
    '5;x=1',
  ]
  for (const name of names) {
    for (const path of [roomPath(name, '/topic'), userPath(name, '/topic')]) {
      const { pathname, origin, search } = addressOf(API, path, {})
      const parts = pathname.split('/')
      assert.deepEqual([origin, search, parts.length, parts[4]], ['https://host.example', '', 5, 'topic'], name)
      assert.equal(decodeURIComponent(parts[3] ?? ''), name)
    }
  }
})

test('what no segment can hold is refused', () => {
  const values: unknown[] = [
    '',
    '.',
    '..',
    '\ud800',
    'a\u0000',
    'a\nb',
    Number.NaN,
    1.5,
    undefined,
    null,
    {},
    ['a'],
    true,
  ]
  for (const value of values) {
    assert.throws(() => segment(value as string), { code: 'ERR_OUTBOUND_URL' }, String(value))
  }
})

test('a parameter cannot add another, and lists are joined', () => {
  const { search, searchParams } = addressOf(API, '/room', {
    maxResults: 5,
    expand: ['items', 'a&b=c'],
    startIndex: undefined,
  })
  assert.equal(search, '?max-results=5&expand=items%2Ca%26b%3Dc')
  assert.deepEqual([...searchParams.keys()], ['max-results', 'expand'])
})

test('a path in an error has the words of the API and numbers, nothing that names somebody', () => {
  const described = (path: string) => describePath(addressOf(API, path, {}))
  assert.equal(described('/room/5/history/latest'), '/v2/room/5/history/latest')
  assert.equal(described(userPath('ada@example.com', '/message')), '/v2/user/.../message')
  assert.equal(described(roomPath('The Den')), '/v2/room/...')
  assert.equal(described('/oauth/token/aB3kfjqpwoeirut'), '/v2/oauth/token/...')
})
