// wire/jwt: types, times, issuer and audience of a host's claims.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ErrorCode, isPartywallError } from '../../../src/core/errors.ts'
import { decodeJws, signHs256 } from '../../../src/wire/jws.ts'
import { type ClaimRules, checkAudience, checkClaims, claimedIssuer, verifyHostToken } from '../../../src/wire/jwt.ts'

const now = 1_700_000_000
const good = { iss: 'tenant-a', iat: now - 10, exp: now + 900, sub: 'user-1' }
const check = (claims: Record<string, unknown>, rules: Partial<ClaimRules> = {}) =>
  checkClaims({ ...good, ...claims }, { now, ...rules })
const refuses = (work: () => unknown, code: ErrorCode, what?: string) =>
  assert.throws(work, error => isPartywallError(error, code) && error.status === 401, what)

test('B 23: the issuer comes from `iss` alone', () => {
  const checked = check({ aud: 'tenant-b', sub: 'tenant-b', client_id: 'tenant-b', azp: 'tenant-b' })
  assert.equal(checked.issuer, 'tenant-a')
  assert.equal(claimedIssuer({ ...good, aud: ['tenant-b'] }), 'tenant-a')
  for (const missing of [{}, { aud: 'tenant-b' }, { sub: 'tenant-b' }, Object.create({ iss: 'inherited' }) as object])
    refuses(() => claimedIssuer(missing as Record<string, unknown>), 'ERR_TOKEN_CLAIMS')
})

test('B 32: a wrong type in any claim is refused', () => {
  const wrong: Record<string, readonly unknown[]> = {
    iss: [1, 0, null, true, [], ['tenant-a'], {}, '', 'x'.repeat(1025), 'é'.repeat(600), 'a\u0000b', '\ud800'],
    exp: ['1700000900', null, true, [], {}, [now + 900], -1, Number.NaN, Number.POSITIVE_INFINITY, 1e300],
    iat: ['1700000000', null, false, [], {}, -1, Number.NaN, 1e300],
    nbf: ['1700000000', null, false, [], {}, -1, Number.NaN, 1e300],
    sub: [1, null, true, [], {}, '', 'x'.repeat(1025), 'a\u0000'],
    aud: [1, null, true, {}, [1], ['a', null], [['a']], '', Array.from({ length: 17 }, () => 'a'), ['x'.repeat(1025)]],
    jti: [1, null, [], {}, ''],
    qsh: [1, null, [], {}, '', ['context-qsh']],
    context: ['text', 1, null, true, []],
  }
  for (const [claim, values] of Object.entries(wrong))
    for (const value of values) {
      const what = `${claim} = ${JSON.stringify(value)?.slice(0, 40)}`
      refuses(() => check({ [claim]: value }), 'ERR_TOKEN_CLAIMS', what)
    }
})

test('B 32: numeric user ids are taken only where the dialect says so', () => {
  refuses(() => check({ sub: 7 }), 'ERR_TOKEN_CLAIMS')
  const hipchat = { subjectClaims: ['sub', 'prn'], allowNumericSubject: true }
  assert.equal(check({ sub: 7 }, hipchat).subject, '7')
  assert.equal(check({ sub: undefined, prn: 8 }, hipchat).subject, '8')
  assert.equal(check({ sub: '9', prn: 8 }, hipchat).subject, '9')
  assert.equal(check({ sub: undefined }, hipchat).subject, undefined)
  for (const value of [1.5, Number.NaN, 2 ** 60, null, {}, [7], true])
    refuses(() => check({ prn: value }, hipchat), 'ERR_TOKEN_CLAIMS', String(value))
})

test('B 32: `exp` and `iss` are required, inherited members are no claims', () => {
  refuses(() => check({ exp: undefined }), 'ERR_TOKEN_CLAIMS')
  refuses(() => check({ iss: undefined }), 'ERR_TOKEN_CLAIMS')
  refuses(() => checkClaims(Object.create(good) as Record<string, unknown>, { now }), 'ERR_TOKEN_CLAIMS')
})

test('B 32: the error names the claim and never its value', () => {
  assert.throws(
    () => check({ sub: ['secret-value'] }),
    error => {
      assert.ok(isPartywallError(error))
      assert.deepEqual(error.details, { claim: 'sub' })
      return !JSON.stringify([error.message, error.details]).includes('secret-value')
    },
  )
})

test('A 5: `exp` ends a token, with a leeway of 30 s that can be set up to 120', () => {
  assert.equal(check({ exp: now - 29 }).expiresAt, now - 29)
  refuses(() => check({ exp: now - 30 }), 'ERR_TOKEN_EXPIRED')
  refuses(() => check({ exp: now }, { leewaySeconds: 0 }), 'ERR_TOKEN_EXPIRED')
  check({ exp: now - 119 }, { leewaySeconds: 120 })
  for (const leewaySeconds of [-1, 121, Number.NaN]) assert.throws(() => check({}, { leewaySeconds }), TypeError)
  assert.throws(() => check({}, { now: Number.NaN }), TypeError)
})

test('A 5: `nbf` and `iat` are at most 60 s ahead', () => {
  for (const claim of ['nbf', 'iat']) {
    check({ [claim]: now + 60 })
    refuses(() => check({ [claim]: now + 61 }), 'ERR_TOKEN_NOT_YET_VALID')
  }
  check({ nbf: undefined, iat: undefined })
})

test('A 5: a greatest age counts from `iat`, which it requires', () => {
  check({ iat: now - 300, exp: now + 9e6 }, { maxAgeSeconds: 300 })
  refuses(() => check({ iat: now - 331, exp: now + 9e6 }, { maxAgeSeconds: 300 }), 'ERR_TOKEN_EXPIRED')
  refuses(() => check({ iat: undefined }, { maxAgeSeconds: 300 }), 'ERR_TOKEN_CLAIMS')
})

test('A 2: an audience is compared exactly; none is never enough', () => {
  checkAudience(check({ aud: 'https://app.example' }), ['https://app.example'])
  checkAudience(check({ aud: ['x', 'https://app.example'] }), ['https://other.example', 'https://app.example'])
  for (const aud of [undefined, [], 'https://app.example/', 'https://app.example.evil', ['HTTPS://APP.EXAMPLE']])
    refuses(() => checkAudience(check({ aud }), ['https://app.example']), 'ERR_TOKEN_AUDIENCE')
  refuses(() => checkAudience(check({ aud: 'x' }), []), 'ERR_TOKEN_AUDIENCE')
})

test('B 24: a host token has the type JWT or none, and needs its signature as well as its claims', () => {
  const key = 'the-shared-secret-of-tenant-a'
  const verify = (header: Record<string, unknown>, claims: Record<string, unknown> = good, signer = key) =>
    verifyHostToken(decodeJws(signHs256(header, claims, signer)), { algorithm: 'HS256', key }, { now })
  for (const header of [{}, { typ: 'JWT' }, { typ: 'jwt' }]) assert.equal(verify(header).issuer, 'tenant-a')
  for (const typ of ['pw-session+jwt', 'PW-SESSION+JWT', 'at+jwt', '', null, 1, ['JWT']])
    refuses(() => verify({ typ }), 'ERR_TOKEN_TYPE', String(typ))
  refuses(() => verify({}, good, 'the-shared-secret-of-tenant-b'), 'ERR_TOKEN_SIGNATURE')
  refuses(() => verify({}, { ...good, exp: now - 3600 }), 'ERR_TOKEN_EXPIRED')
  refuses(() => verify({}, { ...good, iss: 1 }), 'ERR_TOKEN_CLAIMS')
})
