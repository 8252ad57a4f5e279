// wire/oauth2, oauth2-server, retry-after: the client-credentials exchange from both sides.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ErrorCode, isPartywallError } from '../../../src/core/errors.ts'
import {
  clientCredentialsRequest,
  DEFAULT_TOKEN_SECONDS,
  MAX_TOKEN_SECONDS,
  readTokenAnswer,
  requireToken,
} from '../../../src/wire/oauth2.ts'
import { parseBasic, parseTokenRequest } from '../../../src/wire/oauth2-server.ts'
import { retryAfterSeconds } from '../../../src/wire/retry-after.ts'

const now = 1_700_000_000_000
const granted = { access_token: 'T0ken', token_type: 'bearer', expires_in: 28_799, scope: 'send_notification' }
const answer = (status: number, body: unknown, headers: Record<string, string> = {}) =>
  readTokenAnswer(
    {
      status,
      headers,
      body: Buffer.isBuffer(body) ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
    },
    { now, requestedScope: 'asked for' },
  )
const tokenOf = (changes: Record<string, unknown>) => requireToken(answer(200, { ...granted, ...changes }))
const refuses = (work: () => unknown, code: ErrorCode, what?: string) =>
  assert.throws(work, error => isPartywallError(error, code), what)

test('what the client sends is what the host reads', () => {
  const request = clientCredentialsRequest({ id: 'oauth-id', secret: 's:é=+&%' }, ['send_notification', 'admin_room'])
  assert.deepEqual(parseBasic(request.headers.authorization), { id: 'oauth-id', secret: 's:é=+&%' })
  assert.equal(request.body, 'grant_type=client_credentials&scope=send_notification+admin_room')
  const parsed = parseTokenRequest(request.headers['content-type'], Buffer.from(request.body))
  assert.deepEqual([parsed.grantType, parsed.scopes], ['client_credentials', ['admin_room', 'send_notification']])
})

test('no scopes are left out, which asks for all', () => {
  const { body } = clientCredentialsRequest({ id: 'a', secret: 'b' }, [])
  assert.equal(body, 'grant_type=client_credentials')
  assert.equal(parseTokenRequest('application/x-www-form-urlencoded', Buffer.from(body)).scopes, undefined)
})

test('credentials that Basic cannot carry are refused', () => {
  for (const client of [
    { id: 'a:b', secret: 'c' },
    { id: 'a\n', secret: 'c' },
    { id: 'a', secret: 'c\r\nx' },
    { id: 'a', secret: '\ud800' },
  ])
    refuses(() => clientCredentialsRequest(client, []), 'ERR_INSTALL_INVALID')
})

test('a granted token has its time, its scope and the further facts without further credentials', () => {
  assert.deepEqual(tokenOf({ group_id: 123, group_name: 'Ä', refresh_token: 'r', id_token: 'i', nested: { a: 1 } }), {
    accessToken: 'T0ken',
    expiresAt: now + 28_799_000,
    scope: 'send_notification',
    facts: { group_id: 123, group_name: 'Ä' },
  })
  assert.equal(tokenOf({ scope: undefined }).scope, 'asked for')
  for (const type of ['Bearer', 'BEARER', undefined]) assert.equal(tokenOf({ token_type: type }).accessToken, 'T0ken')
})

test('C 38: `expires_in` missing, zero, negative, text or huge neither loops nor is kept for ever', () => {
  const seconds = (value: unknown) => (tokenOf({ expires_in: value }).expiresAt - now) / 1000
  const unusable = [undefined, null, 0, -1, -1e300, '', 'soon', '-5', '1e9', ' 60', '0', true, [], {}, [3600]]
  for (const value of unusable) assert.equal(seconds(value), DEFAULT_TOKEN_SECONDS, JSON.stringify(value))
  for (const value of [86_401, 1e12, 1e300, '99999999999']) assert.equal(seconds(value), MAX_TOKEN_SECONDS)
  const infinite = requireToken(answer(200, '{"access_token":"a","expires_in":1e999}'))
  assert.equal(infinite.expiresAt, now + MAX_TOKEN_SECONDS * 1000)
  assert.equal(seconds('3600'), 3600)
  assert.equal(seconds(1), 1)
  assert.equal(seconds(0.5), 0.5)
})

test('an answer of 200 that grants nothing usable is the host’s fault', () => {
  const tokens = [undefined, null, '', 7, [], {}, 'with blank', 'line\nend', 'é', 'x'.repeat(8193)]
  for (const access_token of tokens)
    refuses(() => tokenOf({ access_token }), 'ERR_HOST_RESPONSE', JSON.stringify(access_token))
  for (const token_type of ['mac', '', null, 7, [], { toString: 1 }])
    refuses(() => tokenOf({ token_type }), 'ERR_HOST_RESPONSE')
  for (const scope of [7, null, [], 'x'.repeat(4097)]) refuses(() => tokenOf({ scope }), 'ERR_HOST_RESPONSE')
  const bodies = ['', 'null', '[]', '"x"', '{', '<html>', Buffer.from([0xff]), ' '.repeat(65_537)]
  for (const body of bodies) assert.equal(answer(200, body).kind, 'unavailable')
})

test('refusals, rate limits and outages are told apart', () => {
  for (const status of [400, 401, 403]) assert.equal(answer(status, '').kind, 'refused')
  for (const status of [201, 204, 301, 302, 404, 500, 502, 503])
    assert.equal(answer(status, granted).kind, 'unavailable')
  assert.deepEqual(answer(429, '', { 'retry-after': '17' }), { kind: 'rate-limited', retryAfterSeconds: 17 })
  assert.deepEqual(answer(429, ''), { kind: 'rate-limited', retryAfterSeconds: 60 })
  refuses(() => requireToken(answer(401, '')), 'ERR_HOST_TOKEN_REFUSED')
  refuses(() => requireToken(answer(429, '')), 'ERR_HOST_RATE_LIMITED')
  refuses(() => requireToken(answer(503, '')), 'ERR_HOST_RESPONSE')
})

test('only refused credentials prove a removal; a refused scope does not', () => {
  const areCredentialsRefused = (status: number, body: unknown) => {
    const read = answer(status, body)
    return read.kind === 'refused' && read.areCredentialsRefused
  }
  assert.ok(areCredentialsRefused(401, { error: { code: 401, type: 'Unauthorized' } }))
  assert.ok(areCredentialsRefused(400, { error: 'invalid_client' }))
  for (const error of ['invalid_scope', 'invalid_request', 'unauthorized_client', undefined, 7, 'invalid_client\n'])
    assert.equal(areCredentialsRefused(400, { error }), false)
})

test('no error repeats a token or a body', () => {
  const answers = [
    answer(200, { ...granted, access_token: 'sec ret' }),
    answer(401, { error: 'sec ret' }),
    answer(200, '{"sec ret'),
  ]
  for (const read of answers)
    assert.throws(
      () => requireToken(read),
      error =>
        isPartywallError(error) &&
        !JSON.stringify([error.message, error.details, String(error.cause)]).includes('sec ret'),
    )
})

test('Retry-After as seconds or date, else the reset headers; always 1 to 3600 s', () => {
  const wait = (headers: Record<string, string>) => retryAfterSeconds(headers, now)
  assert.equal(wait({ 'retry-after': '5' }), 5)
  assert.equal(wait({ 'retry-after': '0' }), 1)
  assert.equal(wait({ 'retry-after': '999999' }), 3600)
  assert.equal(wait({ 'retry-after': new Date(now + 90_000).toUTCString() }), 90)
  assert.equal(wait({ 'retry-after': new Date(now - 90_000).toUTCString() }), 1)
  assert.equal(wait({ 'x-ratelimit-reset': String(now / 1000 + 42) }), 42)
  assert.equal(wait({ 'x-floodcontrol-reset': String(now / 1000 + 7) }), 7)
  assert.equal(wait({ 'retry-after': 'soon', 'x-ratelimit-reset': String(now / 1000 + 42) }), 42)
  for (const value of ['', '-1', '1.5', '1e3', 'Fri, 99 Foo 2020 00:00:00 GMT', '2026-01-01'])
    assert.equal(wait({ 'retry-after': value }), undefined)
})

test('a token request may be form or JSON, flat and without repeats', () => {
  const json = parseTokenRequest(
    'application/json; charset=utf-8',
    Buffer.from('{"grant_type":"client_credentials","scope":"b a b"}'),
  )
  assert.deepEqual(json.scopes, ['a', 'b'])
  const form = (text: string | Buffer) => parseTokenRequest('application/x-www-form-urlencoded', Buffer.from(text))
  assert.equal(form('grant_type=authorization_code&code=%C3%A9').fields.get('code'), 'é')
  const forms = [
    '',
    'scope=a',
    'grant_type=',
    'grant_type=a&grant_type=a',
    'grant_type=%',
    'grant_type=a&x=%ff',
    'grant_type=a&scope="',
    'grant_type=a&scope=%C3%A9',
  ]
  for (const text of forms) refuses(() => form(text), 'ERR_BODY_INVALID', text)
  refuses(() => form(Buffer.from([0x61, 0x3d, 0xff])), 'ERR_BODY_INVALID')
  for (const text of [
    '',
    'null',
    '[]',
    '{"grant_type":1}',
    '{"grant_type":"a","scope":["a"]}',
    '{"grant_type":null}',
    '{',
  ])
    refuses(() => parseTokenRequest('application/json', Buffer.from(text)), 'ERR_BODY_INVALID', text)
  for (const type of [undefined, '', 'text/plain', 'application/jsonx', 'multipart/form-data'])
    refuses(() => parseTokenRequest(type, Buffer.from('grant_type=a')), 'ERR_CONTENT_TYPE')
  refuses(() => form(Buffer.alloc(65_537, 97)), 'ERR_BODY_TOO_LARGE')
})

test('Basic is read strictly', () => {
  const basic = (text: string | Buffer) => `Basic ${Buffer.from(text).toString('base64')}`
  assert.deepEqual(parseBasic(basic('id:')), { id: 'id', secret: '' })
  assert.deepEqual(parseBasic(basic('id:a:b').replace('Basic', 'basic')), { id: 'id', secret: 'a:b' })
  for (const header of [undefined, '', 'Basic', 'Basic ', 'Bearer abc', 'JWT a.b.c', `Basic ${'a'.repeat(9000)}`])
    refuses(() => parseBasic(header), 'ERR_TOKEN_MISSING', header?.slice(0, 20))
  for (const header of [
    basic('noColon'),
    basic(':secret'),
    basic('a\n:b'),
    basic(Buffer.from([0xff, 0x3a])),
    'Basic a-b_',
    'Basic aWQ6eA===',
    'Basic !!!!',
  ])
    refuses(() => parseBasic(header), 'ERR_TOKEN_MALFORMED', header)
})
