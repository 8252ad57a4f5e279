/** Attacks with addresses: where the app is told to fetch from, and what a trusted host's own document says. */

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { CapabilitiesDocument, Reply } from './fake-host.ts'
import { sign } from './forge.ts'
import {
  endScene,
  expectStatus,
  expectWorks,
  installBody,
  isOk,
  newSecret,
  postInstall,
  type Scene,
  setScene,
  withToken,
} from './support.ts'

const scene = setScene()

/** `HOST` and `TRAP` stand for host:port, `HPORT` and `TPORT` for the port alone. */
const ADDRESSES: Readonly<Record<string, string>> = {
  'an untrusted host': 'http://TRAP/v2/capabilities',
  'an untrusted port on a trusted name': 'http://127.0.0.1:1/v2/capabilities',
  'no port': 'http://127.0.0.1/v2/capabilities',
  'a decimal address': 'http://2130706433:TPORT/v2/capabilities',
  'an octal address': 'http://0177.0.0.1:TPORT/v2/capabilities',
  'a hexadecimal address': 'http://0x7f.1:TPORT/v2/capabilities',
  'a short address': 'http://127.1:TPORT/v2/capabilities',
  'full-width digits': 'http://１２７.0.0.1:TPORT/v2/capabilities',
  'ideographic full stops': 'http://127。0。0。1:TPORT/v2/capabilities',
  localhost: 'http://localhost:HPORT/v2/capabilities',
  'localhost, untrusted port': 'http://localhost:TPORT/v2/capabilities',
  'localhost with a dot': 'http://localhost.:TPORT/v2/capabilities',
  'another loopback address': 'http://127.0.0.2:HPORT/v2/capabilities',
  'the unspecified address': 'http://0.0.0.0:HPORT/v2/capabilities',
  zero: 'http://0:TPORT/v2/capabilities',
  'IPv6 loopback': 'http://[::1]:HPORT/v2/capabilities',
  'IPv6 unspecified': 'http://[::]:HPORT/v2/capabilities',
  'IPv4-mapped IPv6': 'http://[::ffff:127.0.0.1]:HPORT/v2/capabilities',
  'IPv4-mapped IPv6, hexadecimal': 'http://[::ffff:7f00:1]:TPORT/v2/capabilities',
  'IPv4-compatible IPv6': 'http://[::127.0.0.1]:TPORT/v2/capabilities',
  'a 6to4 address': 'http://[2002:7f00:1::]:TPORT/v2/capabilities',
  'a NAT64 address': 'http://[64:ff9b::7f00:1]:TPORT/v2/capabilities',
  'the metadata service': 'http://169.254.169.254/latest/meta-data/',
  'a private address': 'http://10.0.0.1/v2/capabilities',
  'a carrier-grade address': 'http://100.64.0.1/v2/capabilities',
  'a unique-local address': 'http://[fd00::1]/v2/capabilities',
  'a multicast address': 'http://224.0.0.1/v2/capabilities',
  'user info': 'http://user:word@HOST/v2/capabilities',
  'an empty user': 'http://@HOST/v2/capabilities',
  'a trusted name as user info': 'http://HOST@TRAP/v2/capabilities',
  'a trusted name before a back slash': 'http://HOST\\@TRAP/v2/capabilities',
  'back slashes instead of slashes': 'http:\\\\HOST\\v2\\capabilities',
  'a back slash in the path': 'http://HOST/v2\\capabilities',
  'a leading blank': ' http://HOST/v2/capabilities',
  'a trailing line break': 'http://HOST/v2/capabilities\n',
  'a tab inside': 'http://HO\tST/v2/capabilities',
  'a line break inside': 'http://HOST/v2/cap\r\nabilities',
  'a NUL inside': 'http://HOST/v2/capabilities\u0000',
  'a request smuggled into the path': 'http://HOST/v2/capabilities HTTP/1.1\r\nX: y',
  'no slashes': 'http:HOST/v2/capabilities',
  'no scheme': '//HOST/v2/capabilities',
  'a path alone': '/v2/capabilities',
  'the file scheme': 'file:///etc/passwd',
  'the data scheme': 'data:application/json,{}',
  'the ftp scheme': 'ftp://HOST/v2/capabilities',
  'the gopher scheme': 'gopher://HOST/v2/capabilities',
  'the javascript scheme': 'javascript:alert(1)',
  'the ws scheme': 'ws://HOST/v2/capabilities',
  'the blob scheme': 'blob:http://HOST/v2/capabilities',
  'a trusted name as a prefix': 'http://HOST.example.com/v2/capabilities',
  'a trusted name as the query': 'http://TRAP/?http://HOST/v2/capabilities',
  'a trusted name as the fragment': 'http://TRAP/#http://HOST/v2/capabilities',
  '100 kB of path': `http://HOST/${'a'.repeat(100_000)}`,
  'an empty text': '',
  'port 99999': 'http://127.0.0.1:99999/v2/capabilities',
}

describe('C 34, C 35: addresses of the capabilities document', () => {
  for (const [name, template] of Object.entries(ADDRESSES)) {
    test(`C 34, C 35: ${name} is refused and not fetched`, async () => {
      const asked = scene.host.asked.length
      const secret = newSecret()
      const id = `address ${name}`
      scene.host.client(id, secret)
      scene.trap.client(id, secret)
      const body = installBody(scene, { oauthId: id, oauthSecret: secret, capabilitiesUrl: fill(template) })
      const answer = await postInstall(scene, body)
      expectStatus(answer, [400, 403])
      assert.equal(scene.host.asked.length, asked, 'something was fetched')
      assert.equal(scene.trap.connections, 0)
      expectStatus(await withToken(scene, await sign(id, secret)), [401])
      // The proof that nothing but the address was wrong.
      body.capabilitiesUrl = scene.host.capabilitiesUrl
      assert.equal(isOk(await postInstall(scene, body)), true)
    })
  }

  for (const [name, value] of Object.entries({ number: 7, list: ['http://HOST'], object: { href: 'x' }, true: true })) {
    test(`C 34: a capabilities address of type ${name} is refused with 400`, async () => {
      expectStatus(await postInstall(scene, installBody(scene, { capabilitiesUrl: value })), [400])
    })
  }
})

type Lie = (document: CapabilitiesDocument, at: Scene) => unknown

const LIES: Readonly<Record<string, Lie>> = {
  'no self link': document => delete document.links.self && undefined,
  'the self link of another path': (document, at) => setSelf(document, `${at.host.origin}/v2/elsewhere`),
  'the self link of another trusted host': (document, at) => setSelf(document, at.other.capabilitiesUrl),
  'a self link with a query': document => setSelf(document, `${document.links.self}?x`),
  'a self link that is a list': document => setSelf(document, [document.links.self]),
  'a token address on an untrusted host': (document, at) => setToken(document, `${at.trap.origin}/v2/oauth/token`),
  'a token address on another trusted host': (document, at) => setToken(document, `${at.other.origin}/v2/oauth/token`),
  'a token address with user info': (document, at) =>
    setToken(document, `http://u:p@${at.host.authority}/v2/oauth/token`),
  'a token address by the name localhost': (document, at) =>
    setToken(document, `${at.host.origin.replace('127.0.0.1', 'localhost')}/v2/oauth/token`),
  'a token address over https': (document, at) => setToken(document, `https://${at.host.authority}/v2/oauth/token`),
  'a token address with back slashes': (document, at) => setToken(document, `http:\\\\${at.trap.authority}\\token`),
  'a relative token address': document => setToken(document, '/v2/oauth/token'),
  'a token address with a line break': document =>
    setToken(document, `${document.capabilities.oauth2Provider.tokenUrl}\r\nx: y`),
  'a token address that is a number': document => setToken(document, 5),
  'no token address': document => setToken(document, undefined),
  'a file as token address': document => setToken(document, 'file:///etc/passwd'),
  'an API on an untrusted host': (document, at) => setApi(document, `${at.trap.origin}/v2`),
  'an API on another trusted host': (document, at) => setApi(document, `${at.other.origin}/v2`),
  'an API with user info': (document, at) => setApi(document, `http://u@${at.host.authority}/v2`),
  'an API by IPv4-mapped address': (document, at) =>
    setApi(document, `${at.host.origin.replace('127.0.0.1', '[::ffff:127.0.0.1]')}/v2`),
  'an API that is an object': document => setApi(document, { href: 'x' }),
  'a home page on an untrusted host': (document, at) => setHome(document, at.trap.origin),
  'links that are null': document => void Object.assign(document, { links: null }),
  'capabilities that are a list': document => void Object.assign(document, { capabilities: [] }),
  'links in a prototype': document => `{"__proto__":${JSON.stringify(document)}}`,
}

describe('C 36: documents of a trusted host that lie', () => {
  for (const [name, lie] of Object.entries(LIES)) {
    test(`C 36: a document with ${name} is refused`, async () => {
      const answer = await installFrom(name, at => ({
        body: at.host.document(document => lieAbout(document, lie, at, name)),
      }))
      expectStatus(answer, [400])
      assert.equal(scene.trap.connections, 0)
    })
  }
})

const BROKEN: Readonly<Record<string, Reply>> = {
  '404': { status: 404 },
  '500': { status: 500, body: { at: 'Error\n at file:///x.ts:1:1' } },
  '204': { status: 204 },
  '206': { status: 206, body: '{' },
  'a text that is no JSON': { body: '<html>hello</html>' },
  'half a JSON text': { body: '{"links":' },
  'bytes that are no UTF-8': { body: Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]) },
  'a list': { body: [] },
  null: { body: 'null' },
  'a number': { body: '7' },
  '100,000 nested lists': { body: '['.repeat(100_000) },
  'a compressed bomb': { headers: { 'content-encoding': 'gzip' }, body: Buffer.alloc(4096, 31) },
  'an endless flood': { mode: 'flood' },
  'endless drops': { mode: 'drip' },
  silence: { mode: 'hang' },
  'a cut connection': { mode: 'cut' },
}

describe('C 33: documents of a trusted host that do not come', { concurrency: true }, () => {
  for (const [name, reply] of Object.entries(BROKEN)) {
    test(`C 33: ${name} instead of a document installs nothing, in bounded time`, async () => {
      const answer = await installFrom(`broken ${name}`, () => reply)
      expectStatus(answer, [400, 403, 503])
      assert.equal(answer.ms < 15_000, true, `${answer.ms} ms`)
    })
  }
})

describe('C 33: redirects', () => {
  for (const status of [301, 302, 303, 307, 308]) {
    test(`C 33: a document behind a ${status} to an untrusted host is refused and not followed`, async () => {
      const answer = await installFrom(`redirect ${status}`, at => ({
        status,
        headers: { location: at.trap.capabilitiesUrl },
      }))
      expectStatus(answer, [400, 403, 503])
      assert.equal(scene.trap.connections, 0)
    })

    test(`C 33: a token endpoint with a ${status} to an untrusted host gives no secret away`, async () => {
      const secret = newSecret()
      const id = `token redirect ${status}`
      const location = `${scene.trap.origin}/v2/oauth/token`
      scene.host.client(id, secret).tokenReply = { status, headers: { location } }
      const answer = await postInstall(scene, installBody(scene, { oauthId: id, oauthSecret: secret }))
      expectStatus(answer, [400, 403, 503])
      assert.equal(scene.trap.connections, 0)
    })
  }

  test('C 33: a document behind a redirect to the other trusted host is refused', async () => {
    const asked = scene.other.asked.length
    const reply = (at: Scene): Reply => ({ status: 302, headers: { location: at.other.capabilitiesUrl } })
    expectStatus(await installFrom('redirect to a friend', reply), [400, 403, 503])
    assert.equal(scene.other.asked.length, asked)
  })
})

test('C 36: a true document at another path is accepted, so that only the lies above were refused', async () => {
  const path = `/documents/${encodeURIComponent('the truth')}`
  const secret = newSecret()
  scene.host.client('the truth', secret)
  const document = scene.host.document(known => setSelf(known, `${scene.host.origin}${path}`))
  const capabilitiesUrl = scene.host.serve(path, { body: document })
  const answer = await postInstall(
    scene,
    installBody(scene, { oauthId: 'the truth', oauthSecret: secret, capabilitiesUrl }),
  )
  assert.equal(isOk(answer), true, answer.text)
})

test('C 36: extra members of a true document do no harm', async () => {
  const body = scene.host.document(document => {
    document.links.self = `${scene.host.origin}/extra`
    return `{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},${JSON.stringify(document).slice(1)}`
  })
  const capabilitiesUrl = scene.host.serve('/extra', { body })
  const secret = newSecret()
  const client = scene.host.client('extra', secret)
  const answer = await postInstall(
    scene,
    installBody(scene, { oauthId: 'extra', oauthSecret: secret, capabilitiesUrl }),
  )
  assert.equal(isOk(answer), true, answer.text)
  await expectWorks(scene, { id: 'extra', secret, host: scene.host, client })
})

async function installFrom(name: string, reply: (at: Scene) => Reply) {
  const path = `/documents/${encodeURIComponent(name)}`
  const secret = newSecret()
  scene.host.client(name, secret)
  scene.trap.client(name, secret)
  const capabilitiesUrl = scene.host.serve(path, reply(scene))
  const answer = await postInstall(scene, installBody(scene, { oauthId: name, oauthSecret: secret, capabilitiesUrl }))
  expectStatus(await withToken(scene, await sign(name, secret)), [401], 'a token of the tenant that must not be')
  return answer
}

function lieAbout(document: CapabilitiesDocument, lie: Lie, at: Scene, name: string): unknown {
  document.links.self = `${at.host.origin}/documents/${encodeURIComponent(name)}`
  const changed = lie(document, at)
  return typeof changed === 'string' ? changed : document
}

const setSelf = (document: CapabilitiesDocument, value: unknown): void => {
  document.links.self = value
}
const setHome = (document: CapabilitiesDocument, value: unknown): void => {
  document.links.homepage = value
}
const setApi = (document: CapabilitiesDocument, value: unknown): void => {
  document.links.api = value
  document.capabilities.hipchatApiProvider.url = value
}
const setToken = (document: CapabilitiesDocument, value: unknown): void => {
  document.capabilities.oauth2Provider.tokenUrl = value
}

const fill = (template: string): string =>
  template
    .replaceAll('HOST', scene.host.authority)
    .replaceAll('TRAP', scene.trap.authority)
    .replaceAll('HO\tST', scene.host.authority.replace('127.', '127.\t'))
    .replaceAll('HPORT', scene.host.authority.replace(/.*:/, ''))
    .replaceAll('TPORT', scene.trap.authority.replace(/.*:/, ''))

endScene(scene)
