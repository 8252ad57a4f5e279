// wire/token-carrier: the one place of the one token of a request.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ErrorCode, isPartywallError } from '../../../src/core/errors.ts'
import { findToken, type TokenCarrier } from '../../../src/wire/token-carrier.ts'

const all: readonly TokenCarrier[] = ['query:signed_request', 'query:jwt', 'authorization:any', 'bearer', 'x-acpt']
type Headers = Readonly<Record<string, readonly string[]>>
const find = (query: string, headers: Headers = {}, accepted: readonly TokenCarrier[] = all) =>
  findToken({ query, headerValues: name => headers[name] ?? [] }, accepted)
const refuses = (code: ErrorCode, query: string, headers: Headers = {}, accepted = all) =>
  assert.throws(
    () => find(query, headers, accepted),
    error => isPartywallError(error, code) && error.status === 401,
    `${query} ${JSON.stringify(headers)}`,
  )

test('finds the token in each documented place', () => {
  const cases: readonly [string, Headers, TokenCarrier][] = [
    ['signed_request=a.b-_.c', {}, 'query:signed_request'],
    ['x=1&signed_request=a.b-_.c&y=2', {}, 'query:signed_request'],
    ['theme=dark&&jwt=a.b-_.c', {}, 'query:jwt'],
    ['%6Awt=a%2Eb-_%2ec', {}, 'query:jwt'],
    ['', { authorization: ['JWT a.b-_.c'] }, 'authorization'],
    ['', { authorization: ['JWT token=a.b-_.c'] }, 'authorization:any'],
    ['', { authorization: [' jwt   a.b-_.c '] }, 'authorization:any'],
    ['', { authorization: ['Bearer a.b-_.c'] }, 'bearer'],
    ['', { 'x-acpt': ['a.b-_.c'] }, 'x-acpt'],
  ]
  for (const [query, headers, carrier] of cases)
    assert.deepEqual(find(query, headers), { token: 'a.b-_.c', carrier }, JSON.stringify([query, headers]))
})

test('B 29: two tokens are refused wherever they stand, even equal ones', () => {
  const places: readonly [string, Headers][] = [
    ['signed_request=a.b.c', {}],
    ['jwt=a.b.c', {}],
    ['%6a%77%74=a.b.c', {}],
    ['', { authorization: ['JWT a.b.c'] }],
    ['', { authorization: ['JWT token=a.b.c'] }],
    ['', { authorization: ['Bearer a.b.c'] }],
    ['', { 'x-acpt': ['a.b.c'] }],
    ['signed_request=', {}],
    ['jwt', {}],
    ['', { 'x-acpt': [''] }],
  ]
  for (const [index, [query, headers]] of places.entries())
    for (const [otherQuery, otherHeaders] of places.slice(index)) {
      const both: Record<string, readonly string[]> = {}
      for (const name of ['authorization', 'x-acpt'])
        both[name] = [...(headers[name] ?? []), ...(otherHeaders[name] ?? [])]
      refuses('ERR_TOKEN_AMBIGUOUS', `${query}&${otherQuery}`, both)
    }
})

test('B 29: a second token counts also where the route does not look', () => {
  refuses('ERR_TOKEN_AMBIGUOUS', 'signed_request=a.b.c&jwt=a.b.c', {}, ['query:signed_request'])
  refuses('ERR_TOKEN_AMBIGUOUS', 'jwt=a.b.c', { authorization: ['Bearer x'] }, ['query:jwt'])
})

test('B 29: repeated Authorization headers are refused whatever their schemes', () => {
  refuses('ERR_TOKEN_AMBIGUOUS', '', { authorization: ['Basic eDp5', 'JWT a.b.c'] })
  refuses('ERR_TOKEN_AMBIGUOUS', '', { authorization: ['JWT a.b.c', 'Basic eDp5'] })
  // Joined by whoever stood in between.
  refuses('ERR_TOKEN_MALFORMED', '', { authorization: ['JWT a.b.c, JWT a.b.c'] })
  refuses('ERR_TOKEN_MALFORMED', '', { 'x-acpt': ['a.b.c, a.b.c'] })
})

test('no token, or one only where the route does not look, is missing', () => {
  refuses('ERR_TOKEN_MISSING', '')
  refuses('ERR_TOKEN_MISSING', 'jwts=a.b.c&JWT=a.b.c&xjwt=a.b.c&jwt%00=a.b.c&+jwt=a.b.c&%zzjwt=a.b.c&jwt%=a.b.c')
  refuses('ERR_TOKEN_MISSING', 'next=a?jwt=a.b.c')
  refuses('ERR_TOKEN_MISSING', '', { authorization: ['Basic eDp5'] })
  refuses('ERR_TOKEN_MISSING', '', { authorization: [''] })
  refuses('ERR_TOKEN_MISSING', 'jwt=a.b.c', {}, ['authorization'])
  refuses('ERR_TOKEN_MISSING', '', { authorization: ['JWT a.b.c'] }, ['query:jwt'])
  for (const value of ['jwt a.b.c', 'Jwt a.b.c', 'JWT token=a.b.c'])
    refuses('ERR_TOKEN_MISSING', '', { authorization: [value] }, ['authorization'])
})

test('empty and impossible spellings are refused, never looked over', () => {
  const queries = [
    'jwt=',
    'jwt',
    'jwt=a b',
    'jwt=a+b',
    'jwt=a%',
    'jwt=a%2',
    'jwt=%zz',
    'jwt=%ff',
    'jwt=a%00',
    'jwt=a=',
    'jwt=%C0%AE',
  ]
  for (const query of queries) refuses('ERR_TOKEN_MALFORMED', query)
  refuses('ERR_TOKEN_MALFORMED', `jwt=${'a'.repeat(8193)}`)
  const headers = ['JWT', 'JWT ', 'JWT token=', 'JWT token="a.b.c"', 'JWT a b', 'JWT\ta.b.c d', 'JWT é', 'Bearer']
  for (const value of headers) refuses('ERR_TOKEN_MALFORMED', '', { authorization: [value] })
  refuses('ERR_TOKEN_MALFORMED', '', { 'x-acpt': [''] })
})
