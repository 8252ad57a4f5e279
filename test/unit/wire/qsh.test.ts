// wire/qsh against the collected vectors (test/vectors/connect-qsh.json says how they were made) and a second implementation.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { createCanonicalRequest } from 'atlassian-jwt'
import fc from 'fast-check'
import {
  canonicalFormRequest,
  canonicalRequest,
  formBodyHash,
  type HashedRequest,
  queryStringHash,
} from '../../../src/wire/qsh.ts'

interface Vector {
  readonly note: string
  readonly method: string
  readonly url: string
  readonly baseUrl: string
  readonly canonical: string
  readonly qsh: string
  readonly ruleCanonical?: string
  readonly ruleQsh?: string
  readonly body?: Readonly<Record<string, string | readonly string[]>>
  readonly canonicalWithBody?: string
  readonly qshWithBody?: string
}
const { vectors } = JSON.parse(readFileSync(new URL('../../vectors/connect-qsh.json', import.meta.url), 'utf8')) as {
  readonly vectors: readonly Vector[]
}

const requestOf = ({ method, url, baseUrl }: Vector): HashedRequest => ({
  method,
  target: url,
  basePath: new URL(baseUrl).pathname,
})

test('B 28: all 77 collected vectors give the canonical request and hash of the written rule', () => {
  assert.equal(vectors.length, 77)
  for (const vector of vectors) {
    const request = requestOf(vector)
    assert.equal(canonicalRequest(request), vector.ruleCanonical ?? vector.canonical, vector.note)
    assert.equal(queryStringHash(request), vector.ruleQsh ?? vector.qsh, vector.note)
  }
})

test('B 28: the second try takes the form of POST and PUT without a query, and of nothing else', () => {
  const withBody = vectors.filter(({ body }) => body !== undefined)
  assert.ok(withBody.length >= 6)
  for (const vector of withBody) {
    const form = new URLSearchParams()
    for (const [name, value] of Object.entries(vector.body ?? {})) {
      for (const one of [value].flat()) form.append(name, one)
    }
    const request = requestOf(vector)
    const canonical = canonicalFormRequest(request, form.toString())
    assert.equal(canonical ?? canonicalRequest(request), vector.canonicalWithBody, vector.note)
    assert.equal(formBodyHash(request, form.toString()) ?? queryStringHash(request), vector.qshWithBody, vector.note)
  }
})

test('B 28: what cannot be decoded has no hash, so no claim fits it', () => {
  for (const query of ['a=%', 'a=%zz', '%c3=1', 'a=%ed%a0%80', 'a=\ud800', 'a=%C3%28']) {
    assert.equal(queryStringHash({ method: 'GET', target: `/panel?${query}`, basePath: '' }), undefined, query)
    assert.equal(formBodyHash({ method: 'POST', target: '/panel', basePath: '' }, query), undefined, query)
  }
})

test('B 28: the token parameter is left out in every spelling of its name, and only it', () => {
  const hash = (query: string) => canonicalRequest({ method: 'GET', target: `/p?${query}`, basePath: '' })
  for (const spelling of ['jwt', '%6Awt', 'j%77t', '%6a%77%74']) assert.equal(hash(`${spelling}=x&a=1`), 'GET&/p&a=1')
  assert.equal(hash('JWT=x&acpt=y&jwt%20=z'), 'GET&/p&JWT=x&acpt=y&jwt%20=z')
})

const word = fc.string({ unit: 'binary', maxLength: 8 })
const parameters = fc.array(fc.tuple(word, word), { maxLength: 6 })
const queryOf = (pairs: readonly (readonly [string, string])[]) =>
  pairs.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&')

test('B 28: order of arrival never changes the hash, and another parameter or value always does', () => {
  fc.assert(
    fc.property(parameters, fc.nat(), (pairs, turn) => {
      const canonical = (given: typeof pairs) =>
        canonicalRequest({ method: 'GET', target: `/p?${queryOf(given)}`, basePath: '' })
      const at = pairs.length === 0 ? 0 : turn % pairs.length
      assert.equal(canonical([...pairs.slice(at), ...pairs.slice(0, at)]), canonical(pairs))
      assert.equal(canonical([...pairs].reverse()), canonical(pairs))
      assert.notEqual(canonical([...pairs, ['more', '']]), canonical(pairs))
    }),
  )
})

test('B 28: the second implementation gives the same, wherever it keeps to the written rule', () => {
  // It orders by decoded names, and loses `__proto__`: names whose order does not depend on their encoding are compared.
  const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9]{0,6}$/)
  const pairs = fc.array(fc.tuple(name, word), { maxLength: 6 })
  const segment = fc.stringMatching(/^[A-Za-z0-9._~%&;+-]{0,8}$/).map(text => text.replaceAll('%', '%25'))
  const path = fc.array(segment, { maxLength: 4 }).map(segments => `/${segments.join('/')}`)
  fc.assert(
    fc.property(fc.constantFrom('GET', 'post', 'PUT', 'Delete'), path, pairs, (method, pathname, given) => {
      const query: Record<string, string[]> = {}
      for (const [key, value] of given) query[key] = [...(query[key] ?? []), value]
      const theirs = createCanonicalRequest({ method, pathname, query: structuredClone(query) }, false, '')
      assert.equal(canonicalRequest({ method, target: `${pathname}?${queryOf(given)}`, basePath: '' }), theirs)
    }),
    { numRuns: 500 },
  )
})

test('H 91: no target and no form makes the hash fail without an answer', () => {
  fc.assert(
    fc.property(word, word, word, (target, basePath, form) => {
      const request = { method: 'POST', target, basePath }
      const hashes = [queryStringHash(request), formBodyHash(request, form)]
      assert.ok(hashes.every(hash => hash === undefined || /^[0-9a-f]{64}$/.test(hash)))
    }),
  )
})
