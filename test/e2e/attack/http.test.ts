/** Attacks on the HTTP surface: spellings of paths, methods, types, sizes, encodings, and what answers give away. */

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import {
  as,
  endScene,
  expectStatus,
  expectWorks,
  getValue,
  install,
  isOk,
  isRefusal,
  kvUrl,
  putValue,
  setScene,
  type Tenant,
} from './support.ts'

let tenant: Tenant
const scene = setScene({}, async at => {
  tenant = await install(at)
})

const PATHS = [
  '/hipchat//whoami',
  '//hipchat/whoami',
  '/hipchat/./whoami',
  '/hipchat/x/../whoami',
  '/x/../hipchat/whoami',
  '/hipchat/whoami/',
  '/hipchat/whoami/.',
  '/hipchat/whoami/x/..',
  '/hipchat/whoami;x=y',
  '/hipchat;x/whoami',
  '/hipchat/whoami%00',
  '/hipchat/whoami%20',
  '/hipchat/whoami%2f',
  '/hipchat%2fwhoami',
  '/hipchat/%77hoami',
  '/hipchat/%2577hoami',
  '/hipchat/whoami%3f',
  '/hipchat/whoami%23',
  '/hipchat/descriptor/../whoami',
  '/hipchat/descriptor/%2e%2e/whoami',
  '/hipchat/descriptor%2f..%2fwhoami',
  '/healthz/../hipchat/whoami',
  '/hipchat/WHOAMI',
  '/HIPCHAT/whoami',
  '/hipchat/whoam\u0131'.normalize().replace('\u0131', '%C4%B1'),
  '/hipchat\\whoami',
  '/hipchat/whoami.json',
  '/hipchat/whoami?/hipchat/descriptor',
  '/hipchat/whoami??signed_request=',
  '/hipchat/%ff',
  '/hipchat/%',
  '/%00',
  `/${'a/'.repeat(2000)}`,
]

describe('H 81: other spellings of a protected path', () => {
  for (const path of PATHS) {
    test(`H 81: ${path.slice(0, 60)} lets nobody in`, async () => {
      const answer = await scene.http.send(path)
      expectStatus(answer, [400, 401, 404, 405, 414])
      assert.equal(answer.text.includes('"tenant"'), false)
    })
  }

  for (const target of [
    'http://127.0.0.1/hipchat/whoami',
    'http://evil.example/hipchat/whoami',
    'hipchat/whoami',
    '*',
    '\\hipchat\\whoami',
    '/hipchat/whoami#x',
  ]) {
    test(`H 81: the request target ${target} lets nobody in`, async () => {
      const { text } = await scene.http.raw(`GET ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`)
      assert.match(text, /^HTTP\/1\.1 4\d\d/)
    })
  }
})

describe('H 81: headers that rewrite', () => {
  const headers: Readonly<Record<string, string>> = {
    'x-original-url': '/hipchat/descriptor',
    'x-rewrite-url': '/hipchat/descriptor',
    'x-original-uri': '/healthz',
    'x-forwarded-path': '/healthz',
    'x-forwarded-for': '127.0.0.1',
    'x-real-ip': '127.0.0.1',
    forwarded: 'for=127.0.0.1;host=localhost',
    'x-forwarded-host': 'localhost',
    'x-http-method-override': 'OPTIONS',
    'x-middleware-subrequest': 'middleware',
    'x-authenticated-user': 'admin',
    'x-skip-auth': '1',
    'x-debug': '1',
  }
  for (const [name, value] of Object.entries(headers)) {
    test(`H 81, A 17: ${name} passes no authentication`, async () => {
      expectStatus(await scene.http.send('/hipchat/whoami', { headers: { [name]: value } }), [401])
    })
  }

  test('A 2: Host and Forwarded headers change no address in the descriptor', async () => {
    const plain = await scene.http.send('/hipchat/descriptor')
    const dressed = await scene.http.send('/hipchat/descriptor', {
      headers: {
        host: 'evil.example',
        'x-forwarded-host': 'evil.example',
        'x-forwarded-proto': 'gopher',
        forwarded: 'host=evil.example',
      },
    })
    assert.equal(dressed.text, plain.text)
  })
})

describe('H 81: methods', () => {
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'TRACE', 'PROPFIND', 'HEAD', 'PURGE', 'LINK']) {
    test(`H 81: ${method} on a protected path without a token is refused`, async () => {
      const answer = await scene.http.send('/hipchat/whoami', { method })
      expectStatus(answer, [400, 401, 404, 405, 501])
      assert.equal(answer.headers['access-control-allow-methods'], undefined)
    })
  }

  test('H 81: OPTIONS tells nothing but methods', async () => {
    const answer = await scene.http.send('/hipchat/whoami', { method: 'OPTIONS' })
    expectStatus(answer, [204, 401, 404, 405])
    if (answer.status === 204) assert.equal(answer.text, '')
  })

  test('H 81: unknown routes are 404, also with a token', async () => {
    for (const target of [
      '/',
      '/hipchat/nothing',
      '/admin',
      '/.env',
      '/package.json',
      '/hipchat/../package.json',
      '/metrics',
      '/debug/pprof',
      '/console',
    ]) {
      expectStatus(await scene.http.send(target), [400, 404], target)
    }
    expectStatus(await as(scene, tenant, '/hipchat/nothing'), [404])
  })
})

describe('H 79: bodies that are no JSON', () => {
  const json = { 'content-type': 'application/json' }
  const cases: Readonly<
    Record<string, readonly [Readonly<Record<string, string>>, string | Buffer, readonly number[]]>
  > = {
    'text/plain': [{ 'content-type': 'text/plain' }, '{"value":1}', [415]],
    'a form': [{ 'content-type': 'application/x-www-form-urlencoded' }, 'value=1', [415]],
    multipart: [{ 'content-type': 'multipart/form-data; boundary=x' }, '--x--', [415]],
    XML: [{ 'content-type': 'application/xml' }, '<a/>', [415]],
    'no type': [{}, '{"value":1}', [400, 415]],
    'a type that only begins well': [{ 'content-type': 'application/jsonx' }, '{"value":1}', [415]],
    'UTF-16': [
      { 'content-type': 'application/json; charset=utf-16' },
      Buffer.from('{"value":1}', 'utf16le'),
      [400, 415],
    ],
    gzip: [{ ...json, 'content-encoding': 'gzip' }, gzipSync('{"value":1}'), [400, 415]],
    'a gzip bomb': [{ ...json, 'content-encoding': 'gzip' }, gzipSync(Buffer.alloc(50_000_000, 32)), [400, 413, 415]],
    'an unknown encoding': [{ ...json, 'content-encoding': 'zstd' }, 'x', [400, 415]],
    nothing: [json, '', [400]],
    'half an object': [json, '{"value":', [400]],
    'two objects': [json, '{"value":1}{"value":2}', [400]],
    'single quotes': [json, "{'value':1}", [400]],
    'a trailing comma': [json, '{"value":1,}', [400]],
    'not a number': [json, '{"value":NaN}', [400]],
    'bytes that are no UTF-8': [json, Buffer.from([0x7b, 0x22, 0x76, 0xff, 0x22, 0x3a, 0x31, 0x7d]), [400]],
    'a cut UTF-8 sequence': [
      json,
      Buffer.concat([Buffer.from('{"value":"'), Buffer.from([0xe2, 0x82]), Buffer.from('"}')]),
      [400],
    ],
    'an overlong sequence': [
      json,
      Buffer.concat([Buffer.from('{"value":"'), Buffer.from([0xc0, 0xaf]), Buffer.from('"}')]),
      [400],
    ],
    '200,000 nested lists': [json, `{"value":${'['.repeat(200_000)}${']'.repeat(200_000)}}`, [200, 201, 204, 400, 413]],
    '100,000 open lists': [json, '['.repeat(100_000), [400]],
    '50,000 nested objects': [json, `${'{"value":'.repeat(50_000)}1${'}'.repeat(50_000)}`, [200, 201, 204, 400, 413]],
    'a list': [json, '[1]', [400]],
    'a text': [json, '"value"', [400]],
    null: [json, 'null', [400]],
    'no value': [json, '{"values":1}', [400]],
  }
  for (const [name, [headers, body, expected]] of Object.entries(cases)) {
    test(`H 79: ${name} as a body is answered ${expected.join(' or ')}`, async () => {
      expectStatus(await as(scene, tenant, kvUrl('body'), { method: 'PUT', headers, body }), expected)
      await expectWorks(scene, tenant)
    })
  }

  test('H 79: an installation in another content type is refused with 415', async () => {
    const answer = await scene.http.send('/hipchat/installable', {
      method: 'POST',
      headers: { 'content-type': 'text/plain' },
      body: '{}',
    })
    expectStatus(answer, [415])
  })

  test('H 79: JSON with a charset and blanks is taken', async () => {
    for (const type of ['application/json; charset=utf-8', 'application/json;charset=UTF-8', 'Application/JSON']) {
      const call = { method: 'PUT', headers: { 'content-type': type }, body: '{"value":"é"}' }
      assert.equal(isOk(await as(scene, tenant, kvUrl('typed'), call)), true, type)
    }
    assert.equal((await getValue(scene, tenant, 'typed')).json?.value, 'é')
  })
})

describe('H 82, H 84: what answers say', () => {
  test('H 82: authenticated answers are not cached, send no referrer and open no other origin', async () => {
    const headers = { origin: 'https://evil.example' }
    for (const target of [
      '/hipchat/whoami',
      kvUrl('typed'),
      '/hipchat/kv/list',
      '/hipchat/events',
      '/hipchat/outbound',
    ]) {
      const answer = await as(scene, tenant, target, { headers })
      assert.match(String(answer.headers['cache-control']), /no-store|private/, target)
      assert.notEqual(answer.headers['referrer-policy'], undefined, target)
      for (const name of Object.keys(answer.headers))
        assert.equal(name.startsWith('access-control-'), false, `${target} ${name}`)
    }
  })

  test('H 82: a preflight is granted nothing', async () => {
    const headers = {
      origin: 'https://evil.example',
      'access-control-request-method': 'PUT',
      'access-control-request-headers': 'authorization',
    }
    for (const target of ['/hipchat/whoami', kvUrl('a'), '/hipchat/installable', '/hipchat/webhook']) {
      const answer = await scene.http.send(target, { method: 'OPTIONS', headers })
      for (const name of Object.keys(answer.headers))
        assert.equal(name.startsWith('access-control-'), false, `${target} ${name}`)
    }
  })

  test('H 84: an answer repeats no part of a hostile request', async () => {
    const mark = '<script>mark</script>'
    const answers = [
      await scene.http.send(`/hipchat/${encodeURIComponent(mark)}`),
      await scene.http.send('/hipchat/whoami', { headers: { authorization: `JWT ${mark}` } }),
      await scene.http.send('/hipchat/installable', { method: 'POST', body: { oauthId: mark, capabilitiesUrl: mark } }),
      await as(scene, tenant, `/hipchat/kv/list?cursor=${encodeURIComponent(mark)}`),
    ]
    for (const answer of answers) assert.equal(answer.text.includes('mark<'), false, answer.text)
  })
})

describe('H 78: sizes', () => {
  test('H 78: a body of 1 MiB and more is refused with 413', async () => {
    expectStatus(await putValue(scene, tenant, 'big', 'x'.repeat(1_048_576)), [413])
  })

  test('H 78: an announced body of 1 GB is refused before it is sent', async () => {
    const started = performance.now()
    const head = `PUT /hipchat/kv?key=a HTTP/1.1\r\nHost: x\r\nAuthorization: JWT a.b.c\r\nContent-Type: application/json\r\nContent-Length: 1000000000\r\n\r\n`
    const { text } = await scene.http.raw(head)
    assert.match(text, /^HTTP\/1\.1 (401|413)/)
    assert.equal(performance.now() - started < 5000, true)
  })

  test('H 78: an announced installation of 1 GB is refused with 413 at once', async () => {
    const { text } = await scene.http.raw(
      'POST /hipchat/installable HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000000000\r\n\r\n',
    )
    assert.match(text, /^HTTP\/1\.1 413/)
  })

  test('H 78: a chunked body that grows beyond 1 MiB is cut off', async () => {
    const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`
    const head =
      'POST /hipchat/installable HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n'
    const { text, closed } = await scene.http.raw(head + chunk.repeat(40), 4000)
    assert.equal(closed || /^HTTP\/1\.1 413/.test(text), true, text.slice(0, 100))
    if (text !== '') assert.match(text, /^HTTP\/1\.1 (400|413)/)
  })

  test('H 78: headers above 16 KiB are refused with 431', async () => {
    const answer = await scene.http.raw(`GET /healthz HTTP/1.1\r\nHost: x\r\nX-Filler: ${'x'.repeat(20_000)}\r\n\r\n`)
    assert.match(answer.text, /^HTTP\/1\.1 431/)
  })

  test('H 78: 3,000 small headers are harmless', async () => {
    const lines = Array.from({ length: 3000 }, (_, index) => `a${index}:b`).join('\r\n')
    const { text } = await scene.http.raw(
      `GET /hipchat/whoami HTTP/1.1\r\nHost: x\r\n${lines}\r\nConnection: close\r\n\r\n`,
    )
    assert.match(text, /^HTTP\/1\.1 4\d\d/)
  })

  test('H 78: 5,000 query parameters are harmless', async () => {
    const query = Array.from({ length: 2000 }, (_, index) => `a${index}=b`).join('&')
    assert.equal(isRefusal(await scene.http.send(`/hipchat/whoami?${query}`)), true)
  })
})

endScene(scene)
