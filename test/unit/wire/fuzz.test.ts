// Parsers of outside input against random and mutated input (H 91), and against a second implementation.
import assert from 'node:assert/strict'
import { createSecretKey, generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { compactVerify, SignJWT } from 'jose'
import { isPartywallError } from '../../../src/core/errors.ts'
import { decodeJws, type JsonRecord, signHs256, signRs256, splitJws, verifyJws } from '../../../src/wire/jws.ts'
import { checkClaims, verifyHostToken } from '../../../src/wire/jwt.ts'
import { readTokenAnswer, requireToken } from '../../../src/wire/oauth2.ts'
import { parseBasic, parseTokenRequest } from '../../../src/wire/oauth2-server.ts'
import { retryAfterSeconds } from '../../../src/wire/retry-after.ts'
import { mintSession, verifySession } from '../../../src/wire/session-token.ts'
import { findToken } from '../../../src/wire/token-carrier.ts'

const runs = process.env.PARTYWALL_SCALE === 'ci' ? 5_000 : 300
const key = Buffer.alloc(32, 3)
const now = 1_700_000_000
const token = signHs256(
  { typ: 'JWT' },
  { iss: 'tenant-a', exp: now + 900, sub: 'é', context: { a: [1, { b: null }] } },
  key,
)
const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })

/** Only a coded refusal or a result; anything else that is thrown is a bug. */
function survives(work: () => unknown): boolean {
  try {
    work()
    return true
  } catch (error) {
    assert.ok(isPartywallError(error), `threw ${String(error)}`)
    return false
  }
}

/** A valid text with characters replaced, put in, taken out or repeated. */
const mutated = (text: string): fc.Arbitrary<string> =>
  fc
    .array(
      fc.record({
        at: fc.nat(text.length),
        drop: fc.nat(3),
        put: fc.oneof(
          fc.string({ unit: 'binary', maxLength: 3 }),
          fc.constantFrom('.', '=', '&', '%', '+', '"', '{', '\0'),
        ),
      }),
      { minLength: 1, maxLength: 4 },
    )
    .map(edits =>
      edits.reduce((result, { at, drop, put }) => result.slice(0, at) + put + result.slice(at + drop), text),
    )
const anyText = fc.oneof(fc.string({ unit: 'binary', maxLength: 300 }), mutated(token))
const anyJson = fc.json({ maxDepth: 4 })
const encode = (text: string | Uint8Array) => Buffer.from(text).toString('base64url')

test('H 91: no text makes decoding or verifying a token fail without a code', () => {
  const segments = fc.oneof(
    anyJson.map(encode),
    fc.uint8Array({ maxLength: 60 }).map(encode),
    fc.string({ maxLength: 20 }),
  )
  const joined = fc.array(segments, { minLength: 1, maxLength: 4 }).map(parts => parts.join('.'))
  fc.assert(
    fc.property(fc.oneof(anyText, joined), text => {
      survives(() => decodeJws(text))
      survives(() => splitJws(text))
      survives(() => verifyJws(text, { algorithm: 'HS256', key }))
      survives(() => verifyJws(text, { algorithm: 'RS256', key: publicKey }))
      survives(() => verifySession(text, { key, issuer: 'tenant-a', baseUrl: 'https://x.example', now }))
    }),
    { numRuns: runs },
  )
})

test('H 91: no claims and no header make the checks fail without a code', () => {
  const record = fc.dictionary(
    fc.constantFrom(
      'iss',
      'exp',
      'iat',
      'nbf',
      'sub',
      'prn',
      'aud',
      'jti',
      'qsh',
      'context',
      'alg',
      'typ',
      'crit',
      '__proto__',
    ),
    fc.jsonValue(),
  )
  fc.assert(
    fc.property(record, record, (header, claims) => {
      survives(() =>
        checkClaims(
          { iss: 'a', exp: now + 9, ...claims },
          { now, subjectClaims: ['sub', 'prn'], allowNumericSubject: true },
        ),
      )
      const text = `${encode(JSON.stringify({ alg: 'HS256', ...header }))}.${encode(JSON.stringify(claims))}.AAAA`
      survives(() => verifyHostToken(decodeJws(text), { algorithm: 'HS256', key }, { now }))
    }),
    { numRuns: runs },
  )
})

test('H 91: no query and no header make the search for the token fail without a code', () => {
  const query = fc.oneof(anyText, mutated(`signed_request=${token}&x=1`), mutated('jwt=a.b.c&%6a%77t=%2E&+='))
  const header = fc.array(fc.oneof(anyText, mutated(`JWT token=${token}`), mutated('Bearer a.b.c')), { maxLength: 2 })
  fc.assert(
    fc.property(query, header, header, (text, authorization, acpt) => {
      survives(() => {
        const found = findToken(
          { query: text, headerValues: name => (name === 'authorization' ? authorization : acpt) },
          ['query:signed_request', 'query:jwt', 'authorization', 'bearer', 'x-acpt'],
        )
        assert.match(found.token, /^[\w.-]{1,8192}$/)
      })
    }),
    { numRuns: runs },
  )
})

test('H 91: no answer and no request of a token endpoint fails without a code', () => {
  const grant = '{"access_token":"a","token_type":"bearer","expires_in":3600,"scope":"b","group_id":1}'
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    anyJson.map(text => Buffer.from(text)),
    mutated(grant).map(text => Buffer.from(text)),
  )
  const status = fc.constantFrom(200, 400, 401, 403, 429, 500)
  const headers = fc.dictionary(
    fc.constantFrom('retry-after', 'x-ratelimit-reset'),
    fc.oneof(fc.string(), fc.nat().map(String), fc.date().map(String)),
  )
  fc.assert(
    fc.property(status, headers, body, anyText, (code, fields, bytes, text) => {
      survives(() => {
        const granted = requireToken(
          readTokenAnswer(
            { status: code, headers: fields, body: Buffer.from(bytes) },
            { now: now * 1000, requestedScope: '' },
          ),
        )
        assert.ok(granted.expiresAt > now * 1000 && granted.expiresAt <= (now + 86_400) * 1000)
        JSON.stringify(granted)
      })
      const wait = retryAfterSeconds(fields, now * 1000)
      assert.ok(wait === undefined || (Number.isInteger(wait) && wait >= 1 && wait <= 3600))
      survives(() => parseTokenRequest('application/json', Buffer.from(bytes)))
      survives(() => parseTokenRequest('application/x-www-form-urlencoded', Buffer.from(bytes)))
      survives(() => parseTokenRequest('application/x-www-form-urlencoded', Buffer.from(`grant_type=a&${text}`)))
      survives(() => parseBasic(text))
      survives(() => parseBasic(`Basic ${Buffer.from(bytes).toString('base64')}`))
    }),
    { numRuns: runs },
  )
})

test('B 18: every edit of one character of a valid token is refused', () => {
  const signed = [
    [token, { algorithm: 'HS256', key }],
    [signRs256({}, { iss: 'a' }, privateKey), { algorithm: 'RS256', key: publicKey }],
  ] as const
  for (const [text, expectation] of signed) {
    verifyJws(text, expectation)
    for (let at = 0; at < text.length; at++) {
      const character = text[at] ?? ''
      // Each bit of the character, a neighbour in the alphabet, nothing, a repetition.
      const others = [1, 2, 4, 8, 16, 32, 64, 128, 256].map(bit => String.fromCharCode(character.charCodeAt(0) ^ bit))
      for (const other of [...others, 'A', '.', '', character + character]) {
        const edited = text.slice(0, at) + other + text.slice(at + 1)
        if (edited !== text) assert.ok(!survives(() => verifyJws(edited, expectation)), `accepted an edit at ${at}`)
      }
    }
  }
})

const claimsOf = fc.dictionary(
  fc.string({ unit: 'grapheme', maxLength: 8 }).filter(name => name !== '__proto__'),
  fc.jsonValue({ maxDepth: 2 }),
  { maxKeys: 6 },
)

test('what we sign, the second implementation verifies', async () => {
  await fc.assert(
    fc.asyncProperty(claimsOf, fc.uint8Array({ minLength: 32, maxLength: 80 }), async (claims, secret) => {
      const hs = await compactVerify(signHs256({ typ: 'JWT' }, claims as JsonRecord, secret), secret, {
        algorithms: ['HS256'],
      })
      assert.equal(Buffer.from(hs.payload).toString(), JSON.stringify(claims))
      const rs = await compactVerify(signRs256({ kid: 'k' }, claims as JsonRecord, privateKey), publicKey, {
        algorithms: ['RS256'],
      })
      assert.equal(Buffer.from(rs.payload).toString(), JSON.stringify(claims))
    }),
    { numRuns: Math.min(runs, 100) },
  )
})

test('what the second implementation signs, we verify', async () => {
  await fc.assert(
    fc.asyncProperty(claimsOf, fc.uint8Array({ minLength: 32, maxLength: 80 }), async (claims, secret) => {
      const sign = (alg: string, signer: Parameters<SignJWT['sign']>[0]) =>
        new SignJWT(claims).setProtectedHeader({ alg, kid: 'k' }).sign(signer)
      const hs = decodeJws(await sign('HS256', createSecretKey(secret)))
      verifyJws(hs, { algorithm: 'HS256', key: secret })
      assert.deepEqual(hs.claims, JSON.parse(JSON.stringify(claims)))
      verifyJws(await sign('RS256', privateKey), { algorithm: 'RS256', key: publicKey })
    }),
    { numRuns: Math.min(runs, 100) },
  )
})

test('sessions keep any context they were minted with', () => {
  const scope = { key, issuer: 'tenant-a', baseUrl: 'https://x.example', now }
  fc.assert(
    fc.property(
      claimsOf,
      fc.string({ minLength: 1, maxLength: 40 }).filter(text => !text.includes('\0')),
      (context, subject) => {
        const session = verifySession(mintSession({ subject, context }, scope), scope)
        assert.deepEqual(session.context, JSON.parse(JSON.stringify(context)))
        assert.equal(session.subject, subject)
      },
    ),
    { numRuns: runs },
  )
})
