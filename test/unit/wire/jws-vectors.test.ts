// wire/jws against published vectors (test/vectors/jws.json names source and licence).
import assert from 'node:assert/strict'
import { createPublicKey, createSecretKey, type JsonWebKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { isPartywallError } from '../../../src/core/errors.ts'
import { type JwsAlgorithm, verifyJws } from '../../../src/wire/jws.ts'

interface Vector {
  readonly id: number
  readonly what: string
  readonly alg: string
  readonly key: number
  readonly result: 'valid' | 'invalid' | 'either'
  readonly jws: string
}
const published = JSON.parse(readFileSync(new URL('../../vectors/jws.json', import.meta.url), 'utf8')) as {
  readonly keys: readonly (JsonWebKey & { k?: string })[]
  readonly vectors: readonly Vector[]
}

test('B 18: all 277 published vectors are answered as demanded', () => {
  assert.equal(published.vectors.length, 277)
  const keys = published.keys.map(jwk =>
    jwk.kty === 'oct'
      ? createSecretKey(Buffer.from(jwk.k ?? '', 'base64url'))
      : createPublicKey({ key: jwk, format: 'jwk' }),
  )
  const wrong: string[] = []
  for (const vector of published.vectors) {
    // A vector that names an algorithm we do not have is tried under both that we have.
    const pinned: readonly JwsAlgorithm[] =
      vector.alg === 'HS256' || vector.alg === 'RS256' ? [vector.alg] : ['HS256', 'RS256']
    for (const algorithm of pinned) {
      const answer = answerOf(() => verifyJws(vector.jws, { algorithm, key: keys[vector.key] }))
      const expected = vector.result === 'either' ? answer : vector.result
      if (answer !== expected) wrong.push(`${vector.id} ${vector.what} (${algorithm}): ${answer}, not ${expected}`)
    }
  }
  assert.deepEqual(wrong, [])
})

test('B 18: of the vectors that may be answered either way, those with stray characters are refused', () => {
  const key = createSecretKey(Buffer.from(published.keys[7]?.k ?? '', 'base64url'))
  const answers = published.vectors
    .filter(vector => vector.result === 'either')
    .map(({ id, jws }) => [id, answerOf(() => verifyJws(jws, { algorithm: 'HS256', key }))])
  // 367 and 370 are byte-identical to the valid vector 357.
  assert.deepEqual(answers, [
    [367, 'valid'],
    [370, 'valid'],
    [372, 'invalid'],
    [373, 'invalid'],
  ])
})

function answerOf(work: () => void): 'valid' | 'invalid' {
  try {
    work()
    return 'valid'
  } catch (error) {
    assert.ok(isPartywallError(error) && error.status === 401, String(error))
    return 'invalid'
  }
}
