import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { PartywallError } from '../../../src/core/errors.ts'
import { createLogger, type LogLevel } from '../../../src/core/log.ts'
import { scrub, scrubText } from '../../../src/core/scrub.ts'
import { IdentitySecrets } from '../../../src/core/tenant.ts'

const JWT = 'eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJ0ZW5hbnQifQ.c2lnbmF0dXJlLXRoYXQtaXMtc2VjcmV0'
const SECRET = 'Zq3rT8vXw2LmN5pKj7HgF4dSa1QeRyUi9oPbVc6x'

const capture = (level: LogLevel = 'debug') => {
  const lines: string[] = []
  return { lines, logger: createLogger({ level, destination: { write: line => lines.push(line) } }) }
}

test('B1 logger: one event is one JSON line with level, time, event and fields', () => {
  const { lines, logger } = capture()
  logger.info('tenant-installed', { tenant: 'abc', count: 3, flag: true, at: new Date(0) })
  const line = JSON.parse(lines[0] ?? '')
  assert.equal(line.level, 'info')
  assert.equal(line.event, 'tenant-installed')
  assert.equal(line.tenant, 'abc')
  assert.equal(line.count, 3)
  assert.equal(line.at, '1970-01-01T00:00:00.000Z')
  assert.ok(Math.abs(Date.parse(line.time) - Date.now()) < 60_000)
})

test('levels below the chosen one write nothing, and unknown levels are refused', () => {
  const { lines, logger } = capture('warn')
  logger.debug('a')
  logger.info('b')
  logger.warn('c')
  logger.error('d')
  assert.deepEqual(
    lines.map(line => JSON.parse(line).event),
    ['c', 'd'],
  )
  assert.throws(() => createLogger({ level: 'loud' as LogLevel }), TypeError)
})

test('H 83: fields cannot forge another event, level, time or line', () => {
  const { lines, logger } = capture()
  logger.info('event\n{"level":"error"}', {
    level: 'error',
    event: 'forged',
    time: 'never',
    note: 'a\r\nb\u2028c\u001b[31m\u009bx\u202e',
  })
  assert.equal(lines.length, 1)
  assert.equal(lines[0]?.trimEnd().split(/[\r\n\u2028\u2029\u0085]/).length, 1)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: their absence is what is tested
  assert.doesNotMatch(lines[0]?.slice(0, -1) ?? '', /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202e]/)
  const line = JSON.parse(lines[0] ?? '')
  assert.equal(line.level, 'info')
  assert.equal(lines[0]?.match(/"level":/g)?.length, 2)
  assert.deepEqual(line.fields, { level: 'error', time: 'never', event: 'forged' })
})

test('H 83: fields with secret names are not written, whatever they hold and however deep', () => {
  const { lines, logger } = capture()
  const names = [
    'secret',
    'sharedSecret',
    'oauthSecret',
    'token',
    'access_token',
    'authToken',
    'password',
    'jwt',
    'signed_request',
  ]
  const more = [
    'Authorization',
    'cookie',
    'Set-Cookie',
    'apiKey',
    'client_secret',
    'x-acpt',
    'credentials',
    'client_assertion',
  ]
  for (const name of [...names, ...more]) {
    logger.error('x', { outer: { list: [{ [name]: 'hunter2' }] }, [name]: { inner: 'hunter2' } })
    logger.error('x', { [name]: ['hunter2'], other: Buffer.from('hunter2') })
  }
  assert.doesNotMatch(lines.join(''), /hunter2/)
  assert.match(lines.join(''), /redacted/)
})

test('H 83: counts and versions beside secrets stay readable', () => {
  assert.deepEqual(
    { ...(scrub({ secretVersion: 3, tokens: 2, hasSecret: true, token: undefined }) as object) },
    {
      secretVersion: 3,
      tokens: 2,
      hasSecret: true,
      token: undefined,
    },
  )
  for (const text of [
    'ERR_TOKEN_EXPIRED: Authentication failed.',
    'at /srv/app/src/http/router.ts:12:3',
    'api.hipchat.com',
  ]) {
    assert.equal(scrubText(text), text)
  }
  const uid = '0198c1d2-7a6b-7c3d-8e4f-0123456789ab'
  assert.equal(scrubText(`tenant ${uid} of jira:${uid}`), `tenant ${uid} of jira:${uid}`)
})

test('H 83: texts lose tokens by their look and by the name before them', () => {
  const cases = [
    [`got ${JWT} here`, 'got [redacted] here'],
    [`"${JWT}"`, '"[redacted]"'],
    [`/page?signed_request=${JWT}&lic=none`, '/page?signed_request=[redacted]&lic=none'],
    [`/page?jwt=abc&x=1`, '/page?jwt=[redacted]&x=1'],
    ['auth_token=abc', 'auth_token=[redacted]'],
    ['Authorization: Bearer abc123', 'Authorization: [redacted]'],
    ['used JWT token=abc now', 'used JWT token=[redacted] now'],
    ['Basic dXNlcjpwYXNz', 'Basic [redacted]'],
    ['{"sharedSecret":"two words","key":"k"}', '{"sharedSecret":[redacted],"key":"k"}'],
    [`{\\"oauthSecret\\":\\"two words\\"}`, '{\\"oauthSecret\\":[redacted]}'],
    ['%7B%22sharedSecret%22%3A%22abc%22%7D', '%7B%22sharedSecret%22%3A[redacted]'],
    ["{ password: 'two words' }", '{ password: [redacted] }'],
    [`Key (secret)=(${SECRET}) already exists`, 'Key (secret)=([redacted]) already exists'],
    [`unexpected ${SECRET} at 3`, 'unexpected [redacted] at 3'],
    [JWT.slice(0, 40), '[redacted]'],
    [JWT.replaceAll('.', '%2E'), '[redacted]'],
  ] as const
  for (const [text, expected] of cases) {
    const actual = scrubText(text)
    assert.equal(actual, expected)
    assert.doesNotMatch(actual, /abc|two|words|dXNl|c2ln|Zq3r|eyJ/, text)
  }
})

test('H 83: an error shows no secret by message, cause, stack, details or hanging objects', () => {
  const { lines, logger } = capture()
  const inner = new Error(`request failed: Authorization: Bearer ${SECRET}`)
  Object.assign(inner, { request: { headers: { authorization: SECRET } }, config: { auth: SECRET }, detail: SECRET })
  const middle = new AggregateError([inner, new Error(`jwt=${JWT}`)], `bad token ${JWT}`, { cause: inner })
  const outer = new PartywallError('ERR_HOST_RESPONSE', {
    message: `got ${JWT}`,
    cause: middle,
    details: { secret: SECRET },
  })
  logger.error('failed', { error: outer })
  const [line = ''] = lines
  assert.ok(!line.includes(SECRET) && !line.includes(JWT), line)
  const { error } = JSON.parse(line)
  assert.equal(error.code, 'ERR_HOST_RESPONSE')
  assert.equal(error.cause.cause.message, 'request failed: Authorization: [redacted]')
  assert.match(error.stack, /log\.test\.ts/)
})

test('H 83: a base64 header with blanks, or a cut token, is a token too', () => {
  for (const header of ['{ "alg":"HS256"}', '{\n"alg":"HS256"}', '{\t"alg":"none"}', '{"alg":"RS256","kid":"x"}']) {
    const token = `${Buffer.from(header).toString('base64url')}.${Buffer.from('{"iss":"someone"}').toString('base64url')}.c2lnbmF0dXJl`
    for (const text of [token, `x_${token}`, `(${token})`, `${token}.more.parts`]) {
      assert.doesNotMatch(scrubText(text), /c2lnbmF0dXJl|c29tZW9uZ/, text)
    }
  }
})

test('H 83: no arrangement of tokens and secrets gets through', () => {
  const base64url = fc
    .uint8Array({ minLength: 12, maxLength: 60 })
    .map(bytes => Buffer.from(bytes).toString('base64url'))
  const claims = fc
    .dictionary(fc.string(), fc.string())
    .map(value => Buffer.from(JSON.stringify(value)).toString('base64url'))
  const header = fc
    .constantFrom('{"alg":"HS256"}', '{"typ":"JWT","alg":"RS256"}')
    .map(text => Buffer.from(text).toString('base64url'))
  const jws = fc.tuple(header, claims, base64url).map(parts => parts.join('.'))
  const alphabet = [...'ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789']
  const secret = fc.string({ unit: fc.constantFrom(...alphabet), minLength: 16, maxLength: 60 })
  const plain = fc.string({ maxLength: 30 }).filter(text => !/[A-Za-z0-9_-]$/.test(text))
  const wrapped = fc.oneof(
    jws.map(token => ({ token, text: token })),
    secret.map(token => ({ token, text: `sharedSecret=${token}` })),
    secret.map(token => ({ token, text: `"access_token":"${token}"` })),
    secret.map(token => ({ token, text: `Bearer ${token}` })),
    secret.map(token => ({ token, text: `https://host/v2/room?auth_token=${token}&x=1` })),
    secret.map(token => ({ token, text: JSON.stringify(JSON.stringify({ oauthSecret: token })) })),
    secret.map(token => ({ token, text: inspect({ webhookToken: token }) })),
    secret.map(token => ({ token, text: `Authorization: Basic ${Buffer.from(`id:${token}`).toString('base64')}` })),
  )
  fc.assert(
    fc.property(
      plain,
      wrapped,
      fc.string({ maxLength: 30 }),
      fc.integer({ min: 0, max: 4 }),
      (before, { token, text }, tail, shape) => {
        const whole = `${before}${text} ${tail}`
        const value = [
          whole,
          new Error(whole),
          { deep: [{ url: whole }] },
          new Error('outer', { cause: new Error(whole) }),
          { [whole]: 1 },
        ][shape]
        const { lines, logger } = capture()
        logger.error('x', { value })
        logger.error(whole)
        assert.ok(!lines.join('').includes(token), `${token} in ${lines.join('')}`)
        assert.equal(lines.length, 2)
      },
    ),
    { numRuns: 500 },
  )
})

test('odd values neither throw nor fill the disk', () => {
  const { lines, logger } = capture()
  const circular: Record<string, unknown> = { name: 'x' }
  circular.self = circular
  const trap = new Proxy(
    {},
    {
      ownKeys() {
        throw new Error('trap')
      },
    },
  )
  let deep: unknown = 'bottom'
  for (let level = 0; level < 50; level++) deep = { deep }
  const getter = {
    get boom() {
      throw new Error('boom')
    },
  }
  const values = [
    circular,
    trap,
    deep,
    getter,
    10n,
    Symbol('s'),
    () => 1,
    new Map([[1, 2]]),
    new Date(Number.NaN),
    null,
    undefined,
  ]
  for (const value of values) logger.info('odd', { value })
  logger.info('long', { text: 'a b '.repeat(1_000_000), list: new Array(1_000_000).fill(1) })
  assert.equal(lines.length, values.length + 1)
  for (const line of lines) assert.ok(line.length < 20_000)
  for (const line of lines) assert.equal(JSON.parse(line).level, 'info')
})

test('H 83: opened secrets of an identity show nothing', () => {
  const { lines, logger } = capture()
  const secrets = new IdentitySecrets(new Map([['secret', SECRET]]), new Uint8Array(32))
  assert.equal(inspect(secrets, { showHidden: true, getters: true }), 'IdentitySecrets {}')
  logger.info('identity', { identity: { uid: 'x', secrets }, secrets })
  assert.ok(!lines.join('').includes(SECRET))
})

test('scrubbing stays linear on texts made to slow it down', () => {
  const texts = [
    'ey',
    'eyJ.',
    'secret',
    'secret=',
    'token:',
    'bearer ',
    'a-',
    '"',
    '\\"',
    'a',
    '%22',
    'secret    ',
    'Basic\t',
    'eyJ%2e',
  ]
  const startedAt = performance.now()
  for (const text of texts) scrubText(text.repeat(200_000))
  assert.ok(performance.now() - startedAt < 2_000)
})
