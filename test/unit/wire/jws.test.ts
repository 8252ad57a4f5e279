// wire/jws: the single spelling of a token, pinned algorithms, keys that can never verify.
import assert from 'node:assert/strict'
import crypto, { createPublicKey, createSecretKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import { test } from 'node:test'
import { isPartywallError } from '../../../src/core/errors.ts'
import { decodeJws, hs256Key, signHs256, signRs256, splitJws, verifyJws } from '../../../src/wire/jws.ts'

const secret = 'a-shared-secret-of-a-good-length-0123456789'
const claims = { iss: 'tenant-a', iat: 1_700_000_000, exp: 1_700_000_900, context: { room_id: 7 } }
const segment = (text: string | Buffer) => Buffer.from(text).toString('base64url')
const good = signHs256({ typ: 'JWT' }, claims, secret)
const [goodHeader = '', goodPayload = '', goodSignature = ''] = good.split('.')
const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })

/** Signs any header and payload text with HS256: what a host with the right secret could send. */
function signRaw(header: string | Buffer, payload: string | Buffer, key: string = secret): string {
  const text = `${segment(header)}.${segment(payload)}`
  return `${text}.${crypto.createHmac('sha256', key).update(text).digest('base64url')}`
}
const check = (token: string, key: string | KeyObject | Uint8Array | undefined = secret) =>
  verifyJws(decodeJws(token), { algorithm: 'HS256', key })
const refuses = (work: () => unknown, code: string) =>
  assert.throws(work, error => isPartywallError(error) && error.code === code && error.status === 401)

test('B 18: takes exactly three parts', () => {
  for (const token of ['', '.', '..', good.replace(/\.[^.]*$/, ''), `${good}.`, `${good}.x`, `.${good}`, 'a.b', 'abc'])
    refuses(() => check(token), 'ERR_TOKEN_MALFORMED')
})

test('B 18: takes canonical unpadded base64url alone', () => {
  const lastBits = goodSignature.slice(0, -1) + String.fromCharCode(goodSignature.charCodeAt(42) + 1)
  const spellings = {
    padding: `${good}=`,
    'a blank': `${good} `,
    'a line end': `${good}\n`,
    'plus and slash': `${goodHeader}.${goodPayload}.${Buffer.from(goodSignature, 'base64url').toString('base64')}`,
    'left-over bits': `${goodHeader}.${goodPayload}.${lastBits}`,
    'a length of 4n + 1': `${goodHeader}.${goodPayload}A.${goodSignature}`,
    'a character from elsewhere': `${goodHeader}.${goodPayload}.${goodSignature.slice(0, 10)}é${goodSignature.slice(10)}`,
    'a wide character with the right low byte': good.replace('e', String.fromCharCode(0x100 + 101)),
  }
  for (const [what, token] of Object.entries(spellings))
    assert.throws(
      () => check(token),
      error => isPartywallError(error, 'ERR_TOKEN_MALFORMED'),
      what,
    )
})

test('B 18: takes JSON objects in valid UTF-8 alone', () => {
  const header = '{"alg":"HS256"}'
  const bodies: readonly (string | Buffer)[] = [
    'null',
    '[]',
    '1',
    '"x"',
    '',
    '{',
    '{}x',
    '\ufeff{}',
    Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]),
  ]
  for (const body of bodies) {
    refuses(() => check(signRaw(header, body)), 'ERR_TOKEN_MALFORMED')
    refuses(() => check(signRaw(body, '{}')), 'ERR_TOKEN_MALFORMED')
  }
  // Invalid UTF-8 inside a string that JSON.parse alone would accept after replacement.
  refuses(
    () =>
      check(signRaw(header, Buffer.concat([Buffer.from('{"iss":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')]))),
    'ERR_TOKEN_MALFORMED',
  )
  assert.equal(decodeJws(signRaw(header, '{"iss":"é€😀"}')).claims.iss, 'é€😀')
})

test('B 18: refuses what is longer than 8192 characters before anything else', () => {
  const filler = (count: number) => signRaw('{"alg":"HS256"}', JSON.stringify({ filler: 'x'.repeat(count) }))
  check(filler(6000))
  refuses(() => check(filler(6200)), 'ERR_TOKEN_MALFORMED')
  refuses(() => decodeJws('a'.repeat(5_000_000)), 'ERR_TOKEN_MALFORMED')
  refuses(() => signHs256({}, { filler: 'x'.repeat(6200) }, secret), 'ERR_TOKEN_MALFORMED')
})

test('a text that is no text is refused with a code', () => {
  for (const value of [undefined, null, 7, {}, []]) refuses(() => decodeJws(value as never), 'ERR_TOKEN_MALFORMED')
})

test('a member __proto__ changes no prototype, and a repeated member has its last value', () => {
  const decoded = decodeJws(
    signRaw('{"alg":"HS256","__proto__":{"typ":"x"}}', '{"__proto__":{"iss":"evil"},"a":1,"a":2}'),
  )
  assert.equal(decoded.header.typ, undefined)
  assert.equal(decoded.claims.iss, undefined)
  assert.equal(Object.getPrototypeOf(decoded.claims), Object.prototype)
  assert.equal(decoded.claims.a, 2)
})

test('no error repeats any part of the token', () => {
  const marked = signRaw('{"alg":"HS256"}', '{"secret-marker": oops')
  for (const token of [marked, `${good}=`, `${good}.secret-marker`])
    assert.throws(
      () => check(token),
      error => {
        assert.ok(isPartywallError(error, 'ERR_TOKEN_MALFORMED'))
        assert.equal(error.cause, undefined)
        return !/marker|eyJ/.test(`${error.message}${JSON.stringify(error.details)}`)
      },
    )
})

test('B 19: the algorithm is the one the caller pins, whatever the token says', () => {
  for (const alg of ['none', 'None', 'hs256', 'HS512', 'RS256', 'PS256', '', null, 1, ['HS256'], undefined]) {
    refuses(() => check(signRaw(JSON.stringify({ alg }), '{}')), 'ERR_TOKEN_ALGORITHM')
    refuses(() => check(`${segment(JSON.stringify({ alg }))}.${goodPayload}.`), 'ERR_TOKEN_ALGORITHM')
  }
  // The classic confusion: an HS256 token keyed with the text of the public key, on a route that pins RS256, and back.
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
  const confused = signRaw('{"alg":"HS256"}', '{}', pem)
  refuses(() => verifyJws(confused, { algorithm: 'RS256', key: publicKey }), 'ERR_TOKEN_ALGORITHM')
  refuses(
    () => verifyJws(signRs256({}, claims, privateKey), { algorithm: 'HS256', key: secret }),
    'ERR_TOKEN_ALGORITHM',
  )
  refuses(() => verifyJws(confused, { algorithm: 'none' as never, key: secret }), 'ERR_TOKEN_ALGORITHM')
})

test('B 19: keys inside the token are not looked at', () => {
  const own = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const jwk = own.publicKey.export({ format: 'jwk' })
  const carriers = { jwk, jku: 'https://evil.example/jwks', x5u: 'https://evil.example/x5u', x5c: ['AAAA'] }
  for (const [name, value] of Object.entries(carriers)) {
    const forged = signRs256({ [name]: value }, claims, own.privateKey)
    refuses(() => verifyJws(forged, { algorithm: 'RS256', key: publicKey }), 'ERR_TOKEN_SIGNATURE')
    verifyJws(signRs256({ [name]: value }, claims, privateKey), { algorithm: 'RS256', key: publicKey })
  }
})

test('B 19: any crit, and b64, mean refusal', () => {
  for (const extra of [
    '"crit":["exp"]',
    '"crit":[]',
    '"crit":null',
    '"crit":"x"',
    '"b64":false,"crit":["b64"]',
    '"b64":false',
    '"b64":true',
  ])
    refuses(() => check(signRaw(`{"alg":"HS256",${extra}}`, '{}')), 'ERR_TOKEN_MALFORMED')
})

test('B 24: a token signed with another tenant’s secret, or by an edited one, is refused', () => {
  check(good)
  refuses(() => check(signHs256({ typ: 'JWT' }, claims, 'another-tenant-secret-0123456789')), 'ERR_TOKEN_SIGNATURE')
  const otherClaims = segment(JSON.stringify({ ...claims, iss: 'tenant-b' }))
  refuses(() => check(`${goodHeader}.${otherClaims}.${goodSignature}`), 'ERR_TOKEN_SIGNATURE')
  for (const length of [0, 1, 16, 31, 33, 64]) {
    const signature = Buffer.concat([Buffer.from(goodSignature, 'base64url'), Buffer.alloc(64)]).subarray(0, length)
    refuses(() => check(`${goodHeader}.${goodPayload}.${segment(signature)}`), 'ERR_TOKEN_SIGNATURE')
  }
})

test('B 25: an unknown tenant costs one dummy verification, and so does a tenant without a secret', t => {
  const spy = t.mock.method(crypto, 'createHmac')
  syncBuiltinESMExports()
  t.after(() => {
    spy.mock.restore()
    syncBuiltinESMExports()
  })
  const decoded = decodeJws(good)
  const hashesOf = (work: () => void, code: string) => {
    const before = spy.mock.callCount()
    refuses(work, code)
    return spy.mock.callCount() - before
  }
  const wrongSignature = hashesOf(
    () => verifyJws(decoded, { algorithm: 'HS256', key: 'some-other-secret' }),
    'ERR_TOKEN_SIGNATURE',
  )
  assert.equal(wrongSignature, 1)
  assert.equal(
    hashesOf(() => verifyJws(decoded, { algorithm: 'HS256', key: undefined }), 'ERR_TOKEN_SIGNATURE'),
    wrongSignature,
  )
})

test('B 25: unknown tenant and wrong signature are one and the same error', () => {
  const errorOf = (work: () => void) => {
    try {
      work()
    } catch (error) {
      if (isPartywallError(error)) return { ...error, message: error.message }
    }
    return assert.fail('nothing was refused')
  }
  const decoded = decodeJws(good)
  assert.deepEqual(
    errorOf(() => verifyJws(decoded, { algorithm: 'HS256', key: undefined })),
    errorOf(() => verifyJws(decoded, { algorithm: 'HS256', key: 'some-other-secret' })),
  )
})

test('B 25: signatures are compared in constant time', t => {
  const spy = t.mock.method(crypto, 'timingSafeEqual')
  syncBuiltinESMExports()
  t.after(() => {
    spy.mock.restore()
    syncBuiltinESMExports()
  })
  check(good)
  assert.equal(spy.mock.callCount(), 1)
})

test('B 26: missing, empty, null and undefined secrets verify nothing', () => {
  const empty = crypto.createHmac('sha256', '').update(`${goodHeader}.${goodPayload}`).digest('base64url')
  const zeros = `${goodHeader}.${goodPayload}.${segment(Buffer.alloc(32))}`
  for (const key of [
    undefined,
    null,
    '',
    'null',
    'undefined',
    '[object Object]',
    0,
    12345678,
    {},
    [],
    true,
    Buffer.alloc(0),
  ]) {
    const text = key === undefined || key === null ? String(key) : typeof key === 'string' ? key : ''
    for (const token of [`${goodHeader}.${goodPayload}.${empty}`, zeros, good, signRaw('{"alg":"HS256"}', '{}', text)])
      refuses(() => verifyJws(token, { algorithm: 'HS256', key: key as never }), 'ERR_TOKEN_SIGNATURE')
    assert.equal(hs256Key(key), undefined)
    assert.throws(() => signHs256({}, {}, key as never), TypeError)
  }
})

test('B 26: a key object of the wrong kind or size verifies nothing', () => {
  refuses(() => check(good, publicKey), 'ERR_TOKEN_SIGNATURE')
  const signed = signRs256({}, claims, privateKey)
  for (const key of [undefined, null, '', privateKey, createSecretKey(Buffer.alloc(32)), 'pem', Buffer.alloc(256)])
    refuses(() => verifyJws(signed, { algorithm: 'RS256', key: key as never }), 'ERR_TOKEN_SIGNATURE')
})

test('RSA keys below 2048 bits, of another kind or with an exponent of 1 are refused', () => {
  const small = generateKeyPairSync('rsa', { modulusLength: 1024 })
  const text = `${segment('{"alg":"RS256"}')}.${segment('{}')}`
  const smallToken = `${text}.${crypto.sign('sha256', Buffer.from(text), small.privateKey).toString('base64url')}`
  refuses(() => verifyJws(smallToken, { algorithm: 'RS256', key: small.publicKey }), 'ERR_TOKEN_SIGNATURE')
  assert.throws(() => signRs256({}, {}, small.privateKey), TypeError)
  const pss = generateKeyPairSync('rsa-pss', { modulusLength: 2048 })
  refuses(
    () => verifyJws(signRs256({}, claims, privateKey), { algorithm: 'RS256', key: pss.publicKey }),
    'ERR_TOKEN_SIGNATURE',
  )
  // With an exponent of 1 the padded hash is its own signature: anybody can make it.
  const exponentOne = createPublicKey({ key: { ...publicKey.export({ format: 'jwk' }), e: 'AQ' }, format: 'jwk' })
  const digestInfo = Buffer.from('3031300d060960864801650304020105000420', 'hex')
  const hashed = Buffer.concat([digestInfo, crypto.createHash('sha256').update(text).digest()])
  const padding = Buffer.alloc(256 - 3 - hashed.length, 0xff)
  const forged = Buffer.concat([Buffer.from([0, 1]), padding, Buffer.from([0]), hashed])
  refuses(
    () => verifyJws(`${text}.${segment(forged)}`, { algorithm: 'RS256', key: exponentOne }),
    'ERR_TOKEN_SIGNATURE',
  )
})

test('RS256 signs and verifies; the key may come as text, bytes or key object for HS256', () => {
  verifyJws(signRs256({ kid: 'k1' }, claims, privateKey), { algorithm: 'RS256', key: publicKey })
  for (const key of [secret, Buffer.from(secret), new Uint8Array(Buffer.from(secret)), hs256Key(secret)])
    check(good, key)
  assert.deepEqual(decodeJws(good).claims, claims)
  assert.equal(splitJws(good).signature.length, 32)
})

test('the caller’s header cannot change the algorithm that is signed', () => {
  assert.equal(decodeJws(signHs256({ alg: 'none' }, claims, secret)).header.alg, 'HS256')
})

test('what decoding returns stays as it is when the next token is decoded', () => {
  const first = decodeJws(good)
  const copy = Buffer.from(first.signature)
  decodeJws(signHs256({ typ: 'JWT' }, { iss: 'other' }, 'another-tenant-secret-0123456789'))
  assert.deepEqual(first.signature, copy)
  assert.deepEqual(first.claims, claims)
})

test('B 20: a key id of any spelling leads nowhere: no key is looked up by it', () => {
  for (const kid of [
    '../../etc/passwd',
    'https://evil.example/key',
    'a b',
    '',
    'x'.repeat(2_000),
    7,
    null,
    {},
    ['k'],
  ]) {
    const token = signHs256({ typ: 'JWT', kid }, claims, secret)
    verifyJws(token, { algorithm: 'HS256', key: secret })
    assert.deepEqual(decodeJws(token).claims, claims)
    refuses(() => verifyJws(token, { algorithm: 'HS256', key: 'another secret entirely' }), 'ERR_TOKEN_SIGNATURE')
  }
})
