import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ERRORS, type ErrorCode, PartywallError } from '../../../src/core/errors.ts'
import { headerOf } from '../../../src/core/header-list.ts'
import {
  emptyAnswer,
  errorAnswer,
  htmlAnswer,
  jsonAnswer,
  redirectAnswer,
  textAnswer,
} from '../../../src/http/answers.ts'

test('answers carry type and length in bytes', () => {
  const answer = jsonAnswer(200, { text: 'é' })
  assert.equal(headerOf(answer.headers, 'content-type'), 'application/json; charset=utf-8')
  assert.equal(headerOf(answer.headers, 'content-length'), '13')
  assert.equal(headerOf(textAnswer(200, 'é').headers, 'content-length'), '2')
  assert.equal(headerOf(htmlAnswer(200, '').headers, 'content-type'), 'text/html; charset=utf-8')
  assert.equal(headerOf(emptyAnswer().headers, 'content-length'), undefined)
  assert.equal(headerOf(emptyAnswer(200).headers, 'content-length'), '0')
})

test('H 84: every code answers with status, code and its public sentence alone', () => {
  for (const code of Object.keys(ERRORS) as ErrorCode[]) {
    const inner = new Error('at /srv/app.js: expected hash 0badcafe')
    const answer = errorAnswer(
      new PartywallError(code, { message: 'secret words', cause: inner, details: { hash: '0badcafe' } }),
    )
    assert.equal(answer.status, ERRORS[code].status)
    assert.deepEqual(JSON.parse(String(answer.body)), { error: { code, message: ERRORS[code].message } })
    assert.doesNotMatch(JSON.stringify(answer), /secret words|0badcafe|srv|\bat /)
    assert.equal(headerOf(answer.headers, 'cache-control'), 'no-store')
    assert.equal(headerOf(answer.headers, 'www-authenticate'), answer.status === 401 ? 'JWT' : undefined)
  }
})

test('H 84: an error that is not ours is ERR_INTERNAL, even when it claims a status', () => {
  const foreign = Object.assign(new Error('inner'), { status: 418, code: 'ERR_TOKEN_EXPIRED', expose: true })
  for (const thrown of [foreign, 'text', undefined, null, 7, { code: 'ERR_NOT_FOUND', status: 404 }]) {
    const answer = errorAnswer(thrown)
    assert.equal(answer.status, 500)
    assert.equal(JSON.parse(String(answer.body)).error.code, 'ERR_INTERNAL')
  }
})

test('H 85: 429 and 503 say when to retry, in whole seconds', () => {
  assert.equal(headerOf(errorAnswer(new PartywallError('ERR_RATE_LIMITED')).headers, 'retry-after'), '1')
  assert.equal(headerOf(errorAnswer(new PartywallError('ERR_STORE_UNAVAILABLE')).headers, 'retry-after'), '5')
  const precise = new PartywallError('ERR_OVERLOADED', { retryAfterSeconds: 2.2 })
  assert.equal(headerOf(errorAnswer(precise).headers, 'retry-after'), '3')
  assert.equal(headerOf(errorAnswer(new PartywallError('ERR_NOT_FOUND')).headers, 'retry-after'), undefined)
})

test('a redirect cannot be split or bent', () => {
  assert.equal(headerOf(redirectAnswer('/next?a=b').headers, 'location'), '/next?a=b')
  for (const location of ['/a\r\nset-cookie: x', '/a b', '\\\\evil.example', '', '/é']) {
    assert.throws(() => redirectAnswer(location), TypeError)
  }
})
