// wire/session-token: own type, audience and key; refreshes that end.
import assert from 'node:assert/strict'
import { createSecretKey } from 'node:crypto'
import { test } from 'node:test'
import { type ErrorCode, isPartywallError } from '../../../src/core/errors.ts'
import { decodeJws, signHs256 } from '../../../src/wire/jws.ts'
import { verifyHostToken } from '../../../src/wire/jwt.ts'
import {
  isSessionToken,
  mintSession,
  refreshSession,
  SESSION_TOKEN_TYPE,
  type SessionScope,
  verifySession,
} from '../../../src/wire/session-token.ts'

const start = 1_700_000_000
const scope: SessionScope = {
  key: Buffer.alloc(32, 7),
  issuer: 'tenant-a',
  baseUrl: 'https://app.example.com/base',
  now: start,
}
const who = { subject: 'user-1', context: { room_id: 5 } }
const at = (seconds: number): SessionScope => ({ ...scope, now: start + seconds })
const refuses = (work: () => unknown, code: ErrorCode) =>
  assert.throws(work, error => isPartywallError(error, code) && error.status === 401)

test('a minted token verifies and says who it is for', () => {
  const token = mintSession(who, scope)
  assert.ok(isSessionToken(decodeJws(token)))
  assert.deepEqual(verifySession(token, at(1)), {
    issuer: 'tenant-a',
    ...who,
    issuedAt: start,
    expiresAt: start + 900,
    endsAt: start + 8 * 3600,
  })
  assert.deepEqual(decodeJws(token).claims.aud, 'https://app.example.com/base/#session')
  const nobody = verifySession(mintSession({ subject: undefined, context: undefined }, scope), scope)
  assert.deepEqual([nobody.subject, nobody.context], [undefined, undefined])
})

test('a fraction of a second does not shorten or lengthen anything', () => {
  const session = verifySession(mintSession(who, at(0.75)), at(0.75))
  assert.deepEqual([session.issuedAt, session.expiresAt, session.endsAt], [start, start + 900, start + 28_800])
})

test('B 30: a session token expires after 15 minutes, without leeway', () => {
  const token = mintSession(who, scope)
  verifySession(token, at(899))
  refuses(() => verifySession(token, at(900)), 'ERR_TOKEN_EXPIRED')
  refuses(() => verifySession(token, at(-61)), 'ERR_TOKEN_NOT_YET_VALID')
})

test('B 30: a chain of refreshes ends after 8 hours, whatever each link says', () => {
  let token = mintSession(who, scope)
  let now = 0
  for (; now + 800 < 8 * 3600; now += 800) {
    const session = verifySession(token, at(now))
    assert.equal(session.endsAt, start + 8 * 3600)
    token = refreshSession(session, at(now), { lifetimeSeconds: 900 })
    assert.deepEqual(verifySession(token, at(now)).context, who.context)
  }
  const last = verifySession(token, at(now))
  const clipped = refreshSession(last, at(now), { lifetimeSeconds: 1e6 })
  assert.equal(verifySession(clipped, at(now)).expiresAt, start + 8 * 3600)
  refuses(() => verifySession(clipped, at(8 * 3600)), 'ERR_TOKEN_EXPIRED')
  refuses(() => refreshSession(last, at(8 * 3600)), 'ERR_SESSION_ENDED')
})

test('B 30: a token past its absolute end is refused even if its expiry were later', () => {
  const claims = { ...decodeJws(mintSession(who, scope)).claims, exp: start + 1e6 }
  const token = signHs256({ typ: SESSION_TOKEN_TYPE }, claims, scope.key as Buffer)
  verifySession(token, at(28_799))
  refuses(() => verifySession(token, at(28_800)), 'ERR_SESSION_ENDED')
})

test('B 30: configured times are kept', () => {
  const session = verifySession(mintSession(who, scope, { lifetimeSeconds: 60, absoluteSeconds: 100 }), scope)
  assert.deepEqual([session.expiresAt, session.endsAt], [start + 60, start + 100])
  const short = verifySession(mintSession(who, scope, { lifetimeSeconds: 900, absoluteSeconds: 100 }), scope)
  assert.equal(short.expiresAt, start + 100)
})

test('B 24: another identity’s, app’s or secret version’s session token is refused', () => {
  const token = mintSession(who, scope)
  refuses(() => verifySession(token, { ...scope, key: Buffer.alloc(32, 8) }), 'ERR_TOKEN_SIGNATURE')
  refuses(() => verifySession(token, { ...scope, issuer: 'tenant-b' }), 'ERR_TENANT_MISMATCH')
  refuses(() => verifySession(token, { ...scope, baseUrl: 'https://app.example.com' }), 'ERR_TOKEN_AUDIENCE')
  refuses(() => refreshSession(verifySession(token, scope), { ...scope, issuer: 'tenant-b' }), 'ERR_TENANT_MISMATCH')
})

test('B 24: a session token never passes as a host token, even with the same key', () => {
  const key = scope.key as Buffer
  const rules = { now: start }
  refuses(
    () => verifyHostToken(decodeJws(mintSession(who, scope)), { algorithm: 'HS256', key }, rules),
    'ERR_TOKEN_TYPE',
  )
})

test('B 24: a host token never passes as a session token, even with the same key, whatever it claims', () => {
  const key = scope.key as Buffer
  const { claims } = decodeJws(mintSession(who, scope))
  for (const typ of ['JWT', undefined, 'pw-session', 'PW-SESSION+JWT', ['pw-session+jwt']])
    refuses(() => verifySession(signHs256(typ === undefined ? {} : { typ }, claims, key), scope), 'ERR_TOKEN_TYPE')
  for (const aud of [undefined, scope.baseUrl, `${scope.baseUrl}/`, [`${scope.baseUrl}/#session`, 'x']]) {
    const code = Array.isArray(aud) ? 'ERR_TOKEN_CLAIMS' : 'ERR_TOKEN_AUDIENCE'
    refuses(() => verifySession(signHs256({ typ: SESSION_TOKEN_TYPE }, { ...claims, aud }, key), scope), code)
  }
})

test('B 26: a key that has not 32 bytes signs and verifies nothing', () => {
  const token = mintSession(who, scope)
  const keys = [undefined, null, Buffer.alloc(0), Buffer.alloc(31, 7), Buffer.alloc(33, 7), '7'.repeat(31), {}]
  for (const key of [...keys, createSecretKey(Buffer.alloc(31, 7))]) {
    refuses(() => verifySession(token, { ...scope, key: key as never }), 'ERR_TOKEN_SIGNATURE')
    assert.throws(() => mintSession(who, { ...scope, key: key as never }), TypeError)
  }
  verifySession(token, { ...scope, key: createSecretKey(Buffer.alloc(32, 7)) })
})

test('B 32: a session token with a wrong or missing claim is refused', () => {
  const { claims } = decodeJws(mintSession(who, scope))
  const wrong = { iss: 1, iat: undefined, exp: 'x', pw_end: undefined, context: 'x', sub: 1 }
  for (const [name, value] of Object.entries(wrong)) {
    const token = signHs256({ typ: SESSION_TOKEN_TYPE }, { ...claims, [name]: value }, scope.key as Buffer)
    refuses(() => verifySession(token, scope), 'ERR_TOKEN_CLAIMS')
  }
  const text = signHs256({ typ: SESSION_TOKEN_TYPE }, { ...claims, pw_end: '99999999999' }, scope.key as Buffer)
  refuses(() => verifySession(text, scope), 'ERR_TOKEN_CLAIMS')
})
