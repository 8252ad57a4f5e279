/**
 * Attacks on the probe's Connect half, one title each: every request of these tables must be refused, whatever it tries must have changed
 * nothing, and neither answer nor log may show a secret, a token or a body.
 */

import assert from 'node:assert/strict'
import { createHmac, generateKeyPairSync, randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { JWTPayload } from 'jose'
import { type FakeProduct, type FakeSite, now, post, queryHash, startFakeProduct } from '../../support/fake-product.ts'
import { createProbe, type Probe } from './probe.ts'

const APP = 'com.example.connect'
const PAGE = '/connect/whoami'
const API = '/connect/context'
const EVENTS = ['installed', 'uninstalled', 'enabled', 'disabled'] as const
/** Would stand in a log or an answer if anything of a body did. */
const MARK = `mark-${randomBytes(6).toString('hex')}`

let product: FakeProduct
let probe: Probe
let victim: FakeSite
let attacker: FakeSite
before(async () => {
  product = await startFakeProduct()
  probe = await createProbe({ hosts: [], environment: { APP_KEY: APP, CONNECT_KEY_SERVER: product.url } })
  victim = await installed('victim')
  attacker = await installed('attacker')
  assert.equal((await put(victim, 'kept', 'as it was')).status, 200)
})
after(async () => {
  await probe.dispose()
  await product.close()
})

const url = (path: string) => probe.baseUrl + path
async function lifecycle(
  site: FakeSite,
  event: (typeof EVENTS)[number],
  claims: JWTPayload = {},
  body: object = {},
  kid?: string,
) {
  const own = { ...product.lifecycleClaims(probe.baseUrl, `/connect/${event}`, site.clientKey), ...claims }
  const token = await product.signLifecycle(own, kid === undefined ? {} : { kid })
  return post(url(`/connect/${event}`), token, site.body(event, body))
}
async function installed(name: string): Promise<FakeSite> {
  const site = product.createSite(probe.baseUrl, name)
  assert.equal((await lifecycle(site, 'installed')).status, 204)
  return site
}
const put = (site: FakeSite, key: string, value: unknown) =>
  site.ask(`/kv?key=${encodeURIComponent(key)}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ value }),
  })
const storedValue = async (site: FakeSite, key: string) => {
  const response = await site.ask(`/kv?key=${encodeURIComponent(key)}`)
  return response.status === 200 ? ((await response.json()) as { value: unknown }).value : response.status
}

/** Refused with one of these, in our form, without a word of what was sent; and the victim is as it was. */
async function holds(sent: Response | Promise<Response>, statuses: readonly number[] = [401]): Promise<void> {
  const response = await sent
  const text = await response.text()
  assert.ok(statuses.includes(response.status), `${response.status} ${text}`)
  for (const secret of [victim.secret, attacker.secret, MARK, 'eyJ']) assert.ok(!text.includes(secret), 'shown')
  if (response.status >= 400 && text !== '') assert.deepEqual(Object.keys(JSON.parse(text).error), ['code', 'message'])
  const page = await victim.ask(PAGE)
  assert.equal(page.status, 200)
  assert.deepEqual(await page.json(), { tenant: victim.clientKey })
  assert.equal(await storedValue(victim, 'kept'), 'as it was')
}

const part = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
const forge = (header: unknown, claims: unknown, secret = victim.secret) => {
  const input = `${part(header)}.${part(claims)}`
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}
const bearing = (token: string) => ({ headers: { authorization: `JWT ${token}` } })

const SHAPES: Readonly<Record<string, (good: string) => string>> = {
  'a word': () => 'nonsense',
  'two parts': good => good.split('.').slice(0, 2).join('.'),
  'four parts': good => `${good}.x`,
  'an empty signature': good => `${good.split('.').slice(0, 2).join('.')}.`,
  'an empty payload': good => good.replace(/\..*\./, '..'),
  'an empty header': good => good.replace(/^[^.]*/, ''),
  'three dots alone': () => '..',
  'padding behind the signature': good => `${good}=`,
  'the signature cut by one letter': good => good.slice(0, -1),
  'a bit of the last letter changed': good => good.slice(0, -1) + (good.endsWith('A') ? 'B' : 'A'),
  'a blank inside': good => good.replace('.', '. '),
  'a plus sign': good => good.replace(/\.[^.]*$/, '.++++'),
  'null claims': () => forge({ alg: 'HS256' }, null),
  'a list of claims': () => forge({ alg: 'HS256' }, []),
  'claims that are a text': () => forge({ alg: 'HS256' }, '"text"'),
  'claims that are no JSON': () => forge({ alg: 'HS256' }, '{"iss"'),
  'claims that are no UTF-8': good => good.replace(/\.[^.]*\./, `.${Buffer.from([0xff, 0xfe]).toString('base64url')}.`),
  'a header that is null': () => forge(null, victim.claims('GET', PAGE)),
  'a header that is a list': () => forge([], victim.claims('GET', PAGE)),
  'a critical extension': () => forge({ alg: 'HS256', crit: ['exp'] }, victim.claims('GET', PAGE)),
  'an unencoded payload': () => forge({ alg: 'HS256', b64: false }, victim.claims('GET', PAGE)),
  'no algorithm': () => forge({ typ: 'JWT' }, victim.claims('GET', PAGE)),
  'the algorithm none': () => forge({ alg: 'none' }, victim.claims('GET', PAGE)),
  'the algorithm none, unsigned': () => `${part({ alg: 'none' })}.${part(victim.claims('GET', PAGE))}.`,
  'the algorithm HS384': () => forge({ alg: 'HS384' }, victim.claims('GET', PAGE)),
  'the algorithm RS256': () => forge({ alg: 'RS256' }, victim.claims('GET', PAGE)),
  'the algorithm in small letters': () => forge({ alg: 'hs256' }, victim.claims('GET', PAGE)),
  'a list of algorithms': () => forge({ alg: ['HS256'] }, victim.claims('GET', PAGE)),
  'a key of its own in the header': () =>
    forge({ alg: 'HS256', jwk: { kty: 'oct', k: part('mine') } }, victim.claims('GET', PAGE), 'mine'),
  'the type of a session token': () => forge({ typ: 'pw-session+jwt', alg: 'HS256' }, victim.claims('GET', PAGE)),
  'an empty secret': () => forge({ alg: 'HS256' }, victim.claims('GET', PAGE), ''),
  'the secret undefined': () => forge({ alg: 'HS256' }, victim.claims('GET', PAGE), 'undefined'),
  'the client key as secret': () => forge({ alg: 'HS256' }, victim.claims('GET', PAGE), victim.clientKey),
  'the attacker’s secret': () => forge({ alg: 'HS256' }, victim.claims('GET', PAGE), attacker.secret),
}
describe('B 18, 19: tokens of another shape', () => {
  for (const [what, make] of Object.entries(SHAPES)) {
    test(`B 18, 19: ${what}, in the header and in the query, on a page and on the API`, async () => {
      const token = make(await victim.sign(victim.claims('GET', PAGE)))
      for (const path of [PAGE, API]) {
        await holds(fetch(url(path), bearing(token)))
        await holds(fetch(`${url(path)}?jwt=${encodeURIComponent(token)}`))
      }
    })
  }

  for (const event of EVENTS) {
    test(`B 18: none of them is a 500 on ${event}`, async () => {
      for (const make of Object.values(SHAPES)) {
        const token = make(await victim.sign(victim.claims('POST', `/connect/${event}`)))
        await holds(post(url(`/connect/${event}`), token, victim.body(event, { mark: MARK })))
      }
    })
  }

  test('B 18: a token of 1 MB ends in a refusal, and the connection’s limits hold', async () => {
    const token = 'a'.repeat(1_048_576)
    const answer = await fetch(url(PAGE), bearing(token)).catch(() => undefined)
    if (answer !== undefined) await holds(answer, [401, 431])
    await holds(fetch(`${url(PAGE)}?jwt=${'a'.repeat(9_000)}`), [401])
  })
})

const CLAIMS: Readonly<Record<string, () => JWTPayload>> = {
  'no issuer': () => ({ iss: undefined }),
  'an issuer that is a number': () => ({ iss: 5 as never }),
  'an issuer that is a list': () => ({ iss: [victim.clientKey] as never }),
  'an empty issuer': () => ({ iss: '' }),
  'an issuer of 2,000 letters': () => ({ iss: 'x'.repeat(2_000) }),
  'an issuer with a NUL': () => ({ iss: `${victim.clientKey}\0` }),
  'an issuer with a blank behind it': () => ({ iss: `${victim.clientKey} ` }),
  'an issuer in capitals': () => ({ iss: victim.clientKey.toUpperCase() }),
  'the issuer __proto__': () => ({ iss: '__proto__' }),
  'the issuer constructor': () => ({ iss: 'constructor' }),
  'the app as issuer, the tenant as audience': () => ({ iss: APP, aud: [victim.clientKey] }),
  'an expiry that is a text': () => ({ exp: String(now() + 60) as never }),
  'an expiry that is null': () => ({ exp: null as never }),
  'an expiry beyond all time': () => ({ exp: 1e300 }),
  'an expiry of long ago': () => ({ exp: 1 }),
  'a time of issue that is a text': () => ({ iat: String(now()) as never }),
  'a subject that is an object': () => ({ sub: { accountId: 'x' } as never }),
  'a context that is a list': () => ({ context: [] as never }),
  'a context that is a text': () => ({ context: 'x' as never }),
  'a hash that is a list': () => ({ qsh: [queryHash('GET', PAGE)] as never }),
  'a hash with a blank behind it': () => ({ qsh: `${queryHash('GET', PAGE)} ` }),
  'an empty hash': () => ({ qsh: '' }),
  'the hash of the path with a slash more': () => ({ qsh: queryHash('GET', `/x${PAGE}`) }),
}
describe('B 24, 27, 32: claims that are not what they must be', () => {
  for (const [what, change] of Object.entries(CLAIMS)) {
    test(`B 24, 27, 32: ${what}`, async () => {
      const claims = { ...victim.claims('GET', PAGE), ...change() }
      await holds(fetch(url(PAGE), bearing(forge({ alg: 'HS256' }, claims))))
      await holds(
        fetch(
          url(API),
          bearing(
            forge({ alg: 'HS256' }, { ...claims, qsh: claims.qsh === queryHash('GET', PAGE) ? undefined : claims.qsh }),
          ),
        ),
      )
    })
  }

  test('B 24: an unknown tenant and a wrong signature are told the same, letter for letter', async () => {
    const sent = async (claims: JWTPayload, secret: string) => {
      const response = await fetch(
        url(PAGE),
        bearing(forge({ alg: 'HS256' }, { ...victim.claims('GET', PAGE), ...claims }, secret)),
      )
      const headers = [...response.headers].filter(([name]) => !['date', 'connection', 'keep-alive'].includes(name))
      return JSON.stringify([response.status, headers, await response.text()])
    }
    const wrong = await sent({}, attacker.secret)
    assert.equal(await sent({ iss: 'nobody-at-all' }, attacker.secret), wrong)
    assert.equal(await sent({ iss: 'nobody-at-all' }, ''), wrong)
  })
})

const CARRIED: Readonly<Record<string, (token: string) => [string, RequestInit?]>> = {
  'the scheme in small letters': token => [PAGE, { headers: { authorization: `jwt ${token}` } }],
  'the scheme with a capital alone': token => [PAGE, { headers: { authorization: `Jwt ${token}` } }],
  'the scheme Bearer': token => [PAGE, { headers: { authorization: `Bearer ${token}` } }],
  'the form of HipChat': token => [PAGE, { headers: { authorization: `JWT token=${token}` } }],
  'no scheme': token => [PAGE, { headers: { authorization: token } }],
  'the scheme alone': () => [PAGE, { headers: { authorization: 'JWT' } }],
  'two tokens in one header': token => [PAGE, { headers: { authorization: `JWT ${token}, JWT ${token}` } }],
  'the parameter of HipChat': token => [`${PAGE}?signed_request=${token}`],
  'the parameter in capitals': token => [`${PAGE}?JWT=${token}`],
  'the parameter as an object': token => [`${PAGE}?jwt[x]=${token}`],
  'the parameter as a list': token => [`${PAGE}?jwt[]=${token}`],
  'the parameter twice': token => [`${PAGE}?jwt=${token}&jwt=${token}`],
  'the parameter, encoded, beside itself': token => [`${PAGE}?jwt=${token}&%6awt=${token}`],
  'an empty parameter beside the header': token => [`${PAGE}?jwt=`, bearing(token)],
  'a session header on a page': token => [PAGE, { headers: { 'x-acpt': token } }],
  'the old parameter of sessions': token => [`${API}?acpt=${token}`],
  'a cookie': token => [PAGE, { headers: { cookie: `jwt=${token}` } }],
  'a form in a GET’s query': token => [`${PAGE}?body=jwt%3D${token}`],
}
describe('B 29: tokens in other places', () => {
  for (const [what, place] of Object.entries(CARRIED)) {
    test(`B 29: ${what}`, async () => {
      const [path, init] = place(await victim.sign(victim.claims('GET', PAGE)))
      await holds(fetch(url(path), init))
    })
  }

  test('B 29: two Authorization headers, in both orders', async () => {
    const token = await victim.sign(victim.claims('GET', PAGE))
    for (const others of [
      [`JWT ${token}`, 'Basic eDp5'],
      ['Basic eDp5', `JWT ${token}`],
      [`JWT ${token}`, `JWT ${token}`],
    ])
      assert.match(
        await raw(
          `GET ${PAGE} HTTP/1.1`,
          others.map(value => `Authorization: ${value}`),
        ),
        /^HTTP\/1\.1 401 /,
      )
  })
})

/** What a client of ours would never send. @returns the head and body of the answer */
function raw(line: string, headers: readonly string[], body = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(probe.port, '127.0.0.1')
    let text = ''
    socket.setEncoding('utf8').on('data', chunk => {
      text += chunk
    })
    socket.on('end', () => resolve(text)).on('error', reject)
    socket.end(`${[line, 'Host: x', 'Connection: close', ...headers, '', ''].join('\r\n')}${body}`)
  })
}

const TARGETS: Readonly<Record<string, string>> = {
  'two slashes': `/${PAGE}`,
  'a slash behind it': `${PAGE}/`,
  'a dot segment': '/connect/./whoami',
  'an encoded dot segment': '/connect/%2e/whoami',
  'a step up': '/connect/x/../whoami',
  'an encoded step up': '/connect/x/%2e%2e/whoami',
  'an encoded letter': '/connect/%77hoami',
  'an encoded slash': '/connect%2fwhoami',
  'a back slash': '/connect\\whoami',
  'a parameter of the path': `${PAGE};jwt=1`,
  capitals: '/Connect/Whoami',
  'a NUL': `${PAGE}%00`,
  'a fragment': `${PAGE}#x`,
  'an absolute address': `http://evil.example${PAGE}`,
}
describe('B 28: the address in another spelling', () => {
  for (const [what, target] of Object.entries(TARGETS)) {
    test(`B 28: ${what}, with the token of the right one`, async () => {
      const token = await victim.sign(victim.claims('GET', PAGE))
      const answer = await raw(`GET ${target} HTTP/1.1`, [`Authorization: JWT ${token}`])
      assert.match(answer, /^HTTP\/1\.1 40[014] /)
      assert.ok(!answer.includes(victim.clientKey))
    })
  }

  const QUERIES = {
    'a parameter added': '?x=1',
    'a parameter twice': '?x=1&x=1',
    'a broken escape': '?x=%',
    'no UTF-8': '?x=%ff',
    'a lone surrogate': '?x=%ed%a0%80',
  }
  for (const [what, query] of Object.entries(QUERIES)) {
    test(`B 28: ${what} to what was signed`, async () => {
      const token = await victim.sign(victim.claims('GET', PAGE))
      await holds(fetch(url(PAGE + query), bearing(token)), [400, 401])
    })
  }

  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'TRACE', 'PROPFIND']) {
    test(`B 28: a GET’s token with ${method}`, async () => {
      const token = await victim.sign(victim.claims('GET', PAGE))
      const answer = await raw(`${method} ${PAGE} HTTP/1.1`, [`Authorization: JWT ${token}`, 'Content-Length: 0'])
      assert.match(answer, method === 'OPTIONS' ? /^HTTP\/1\.1 204 / : /^HTTP\/1\.1 40[0-9] /)
      assert.ok(!answer.includes(victim.clientKey))
    })
  }

  test('B 28: a header that names another method changes nothing', async () => {
    const token = await victim.sign(victim.claims('DELETE', '/kv?key=kept'))
    const headers = { authorization: `JWT ${token}`, 'x-http-method-override': 'DELETE' }
    await holds(fetch(url('/kv?key=kept&_method=DELETE'), { method: 'POST', headers }), [401, 405])
    await holds(fetch(url('/kv?key=kept'), { headers }))
  })

  test('B 28: the second try over a form is for POST and PUT without a query alone', async () => {
    const token = (path: string, form: string) =>
      victim.sign({ ...victim.claims('POST', path), qsh: queryHash('POST', `/connect/webhook?${form}`) })
    const send = async (path: string) =>
      fetch(url(path), {
        method: 'POST',
        body: 'a=1',
        headers: {
          authorization: `JWT ${await token(path, 'a=1')}`,
          'content-type': 'application/x-www-form-urlencoded',
        },
      })
    await holds(send('/connect/webhook?x=1'))
    assert.equal((await send('/connect/webhook')).status, 415, 'proved, and then no JSON')
  })
})

const BODIES: Readonly<Record<string, readonly [body: unknown, statuses: readonly number[]]>> = {
  nothing: ['', [400, 401, 415]],
  null: ['null', [400, 401]],
  'a list': ['[]', [400, 401]],
  'a text': ['"x"', [400, 401]],
  'a number': ['1', [400, 401]],
  'broken JSON': ['{"clientKey":', [400]],
  'no UTF-8': [Buffer.from([0x7b, 0xff, 0x7d]), [400]],
  'a byte order mark': ['\ufeff{}', [400, 401]],
  '10,000 brackets': ['['.repeat(10_000), [400]],
  'more than 1 MiB': [`{"x":"${'x'.repeat(1_100_000)}"}`, [413]],
}
describe('A 3, 8: installs with another body', () => {
  for (const [what, [body, statuses]] of Object.entries(BODIES)) {
    test(`A 8: ${what}`, async () => {
      const token = await product.signLifecycle(
        product.lifecycleClaims(probe.baseUrl, '/connect/installed', victim.clientKey),
      )
      const headers = { 'content-type': 'application/json', authorization: `JWT ${token}` }
      await holds(fetch(url('/connect/installed'), { method: 'POST', headers, body: body as string }), statuses)
    })
  }

  const FIELDS: Readonly<Record<string, readonly [object, readonly number[]]>> = {
    'no client key': [{ clientKey: undefined }, [400, 401]],
    'a client key that is a list': [{ clientKey: ['x'] }, [400, 401]],
    'another tenant’s client key': [{ clientKey: 'somebody-else' }, [401]],
    'a secret that is an object': [{ sharedSecret: { $ne: 1 } }, [400]],
    'an empty secret': [{ sharedSecret: '' }, [400]],
    'the secret undefined': [{ sharedSecret: 'undefined' }, [400]],
    'a secret with a NUL': [{ sharedSecret: `x\0${'x'.repeat(20)}` }, [400]],
    'a base URL with a user': [{ baseUrl: 'https://a@b.atlassian.net' }, [400, 403]],
    'a base URL of another scheme': [{ baseUrl: 'file:///etc/passwd' }, [400, 403]],
    'a base URL of the metadata service': [{ baseUrl: 'http://169.254.169.254/' }, [400, 403]],
    'a base URL with a query': [{ baseUrl: 'https://a.atlassian.net/?x=1' }, [400, 403]],
    'a base URL that is an object': [{ baseUrl: {} }, [400]],
    'a base URL on a domain that only looks like it': [{ baseUrl: 'https://aatlassian.net' }, [403]],
    'a base URL in other letters': [{ baseUrl: 'https://a.atl\u0430ssian.net' }, [400, 403]],
    'no product type': [{ productType: undefined }, [400]],
    'another app': [{ key: 'com.example.other' }, [401]],
    'another event': [{ eventType: 'enabled' }, [401]],
    'the app’s own key as client key': [{ clientKey: APP }, [400, 401]],
  }
  for (const [what, [change, statuses]] of Object.entries(FIELDS)) {
    test(`A 3, 8: ${what}`, async () => {
      const stolen = { sharedSecret: MARK.repeat(2), ...change }
      await holds(lifecycle(victim, 'installed', {}, stolen), statuses)
      await holds(fetch(url(PAGE), bearing(forge({ alg: 'HS256' }, victim.claims('GET', PAGE), MARK.repeat(2)))))
    })
  }

  test('A 8: members named __proto__ and constructor reach no prototype', async () => {
    const site = product.createSite(probe.baseUrl, 'polluted')
    const claims = product.lifecycleClaims(probe.baseUrl, '/connect/installed', site.clientKey)
    const body = JSON.stringify(site.body('installed')).replace(
      '{',
      '{"__proto__":{"isAdmin":true},"constructor":{"prototype":{"isAdmin":true}},',
    )
    assert.equal((await post(url('/connect/installed'), await product.signLifecycle(claims), body)).status, 204)
    assert.deepEqual(await (await site.ask(PAGE)).json(), { tenant: site.clientKey })
  })

  for (const type of [
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/jsonx',
  ]) {
    test(`H 79: an install as ${type}`, async () => {
      const token = await product.signLifecycle(
        product.lifecycleClaims(probe.baseUrl, '/connect/installed', victim.clientKey),
      )
      const headers = { 'content-type': type, authorization: `JWT ${token}` }
      const body = JSON.stringify(victim.body('installed', { sharedSecret: MARK.repeat(2) }))
      await holds(fetch(url('/connect/installed'), { method: 'POST', headers, body }), [401, 415])
    })
  }
})

const pemOf = (modulusLength: number) => {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength })
  return publicKey.export({ type: 'spki', format: 'pem' }).toString()
}
const KEY_ANSWERS: Readonly<
  Record<string, readonly [status: number, body: () => string, statuses: readonly number[]]>
> = {
  'a page where a key was asked for': [404, () => '<html>no</html>', [401]],
  'a page that calls itself a key': [200, () => '<html>key</html>', [401]],
  'a key of 1,024 bits': [200, () => pemOf(1_024), [401]],
  'another key': [200, () => pemOf(2_048), [401]],
  'a private key': [
    200,
    () =>
      generateKeyPairSync('rsa', { modulusLength: 2_048 })
        .privateKey.export({ type: 'pkcs8', format: 'pem' })
        .toString(),
    [401],
  ],
  'a key of another kind': [
    200,
    () =>
      generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    [401],
  ],
  'an endless answer': [200, () => 'x'.repeat(2_000_000), [401, 503]],
  nothing: [200, () => '', [401]],
  'an error of its own': [500, () => 'no', [503]],
  'too many requests': [429, () => 'no', [401, 503]],
  'a redirect to the metadata service': [302, () => '', [401, 503]],
}
describe('B 21, 22: key servers that fail or lie', () => {
  for (const [what, [status, body, statuses]] of Object.entries(KEY_ANSWERS)) {
    test(`B 22: ${what}; the next install with the right key is taken`, async () => {
      const site = product.createSite(probe.baseUrl, 'keys')
      product.answer = (_, response) => response.writeHead(status, { location: 'http://169.254.169.254/' }).end(body())
      await holds(lifecycle(site, 'installed', {}, {}, `keys/${randomBytes(4).toString('hex')}`), statuses)
      product.answer = undefined
      await holds(site.ask(PAGE))
      assert.equal((await lifecycle(site, 'installed')).status, 204)
      assert.equal((await site.ask(PAGE)).status, 200)
    })
  }

  test('B 22: a key server that hangs up is 503, and can be tried again', async () => {
    const site = product.createSite(probe.baseUrl, 'hangs-up')
    product.answer = request => request.socket.destroy()
    await holds(lifecycle(site, 'installed', {}, {}, `keys/${randomBytes(4).toString('hex')}`), [503])
    product.answer = undefined
    assert.equal((await lifecycle(site, 'installed')).status, 204)
  })

  test('B 21: 100 installs at once are all saved, and ask for their key once at most', async () => {
    const before = product.asked.length
    const sites = Array.from({ length: 100 }, (_, index) => product.createSite(probe.baseUrl, `many-${index}`))
    const statuses = await Promise.all(sites.map(async site => (await lifecycle(site, 'installed')).status))
    assert.deepEqual(new Set(statuses), new Set([204]))
    assert.ok(product.asked.length - before <= 1)
    const pages = await Promise.all(
      sites.map(async site => ((await (await site.ask(PAGE)).json()) as { tenant: string }).tenant),
    )
    assert.deepEqual(
      pages,
      sites.map(({ clientKey }) => clientKey),
    )
  })
})

const NAMES = [
  'kept',
  '../kept',
  'kept%00',
  'KEPT',
  'kept ',
  '*',
  '%',
  "' or '1'='1",
  '__proto__',
  'e\u0301',
  '\u{1f600}',
  `store:${'x'.repeat(500)}`,
]
describe('E 45, 47, 48: storage across tenants', () => {
  for (const name of NAMES) {
    test(`E 47: the key ${JSON.stringify(name.slice(0, 20))} is each tenant’s own`, async () => {
      const [mine, theirs] = [await installed('mine'), await installed('theirs')]
      const stored = await put(mine, name, MARK)
      if (stored.status === 400) return
      assert.equal(stored.status, 200)
      assert.equal(await storedValue(mine, name), MARK)
      assert.equal(await storedValue(theirs, name), 404)
      assert.deepEqual(((await (await theirs.ask('/kv/list')).json()) as { items: object }).items, {})
      assert.equal((await theirs.ask(`/kv?key=${encodeURIComponent(name)}`, { method: 'DELETE' })).status, 404)
      assert.equal(await storedValue(mine, name), MARK)
    })
  }

  test('E 45: a tenant in the query, in a header or in the body is nobody', async () => {
    for (const more of [`tenant=${victim.clientKey}`, `clientKey=${victim.clientKey}`, `iss=${victim.clientKey}`]) {
      const response = await attacker.ask(`/kv?key=kept&${more}`)
      assert.equal(response.status, 404, more)
    }
    const headers = { 'x-tenant': victim.clientKey, 'x-client-key': victim.clientKey }
    assert.equal((await attacker.ask('/kv?key=kept', { headers })).status, 404)
  })

  test('E 48: a cursor of one tenant opens nothing of another', async () => {
    for (const key of ['a', 'b', 'c']) await put(victim, `page-${key}`, MARK)
    const first = (await (await victim.ask('/kv/list?limit=1')).json()) as { cursor: string }
    assert.ok(first.cursor)
    await holds(attacker.ask(`/kv/list?limit=1&cursor=${encodeURIComponent(first.cursor)}`), [400])
    for (const key of ['a', 'b', 'c']) await victim.ask(`/kv?key=page-${key}`, { method: 'DELETE' })
  })

  test('F 60: 200 requests of two tenants at once never see each other’s value', async () => {
    await put(attacker, 'kept', 'the attacker’s')
    const results = await Promise.all(
      Array.from({ length: 200 }, async (_, index) => {
        const site = index % 2 === 0 ? victim : attacker
        return (await storedValue(site, 'kept')) === (site === victim ? 'as it was' : 'the attacker’s')
      }),
    )
    assert.ok(results.every(Boolean))
  })
})

describe('A 7, 9 - 12: the life of an installation', () => {
  test('A 10: requests that run during a change of the secret are answered or refused, never another tenant’s', async () => {
    const site = await installed('rotates')
    const asked = Array.from({ length: 40 }, async (_, index) => {
      await delay(index * 3)
      const response = await site.ask(PAGE)
      return response.status === 200 ? ((await response.json()) as { tenant: string }).tenant : response.status
    })
    for (let round = 1; round <= 5; round++) {
      site.secret = randomBytes(24).toString('hex')
      assert.equal((await lifecycle(site, 'installed', { iat: now() + round })).status, 204)
    }
    for (const answer of await Promise.all(asked))
      assert.ok([site.clientKey, 401].includes(answer as string), String(answer))
    assert.equal((await site.ask(PAGE)).status, 200)
  })

  test('A 7: an install and an uninstall that race end in one state that both agree on', async () => {
    for (let round = 0; round < 5; round++) {
      const site = await installed(`race-${round}`)
      const statuses = await Promise.all([
        lifecycle(site, 'uninstalled', { iat: now() + 5 }).then(({ status }) => status),
        lifecycle(site, 'installed', { iat: now() + 5 }).then(({ status }) => status),
      ])
      assert.deepEqual(new Set(statuses), new Set([204]))
      const answers = await Promise.all([site.ask(PAGE), site.ask(PAGE)].map(async sent => (await sent).status))
      assert.equal(new Set(answers).size, 1)
    }
  })

  test('A 11: after an uninstall page, API, storage, webhook and sessions are closed, and a replay opens nothing', async () => {
    const site = await installed('leaves')
    await put(site, 'note', MARK)
    const install = product.lifecycleClaims(probe.baseUrl, '/connect/installed', site.clientKey)
    const token = await product.signLifecycle(install)
    assert.equal((await post(url('/connect/installed'), token, site.body('installed'))).status, 204)
    assert.equal((await lifecycle(site, 'uninstalled', { iat: now() + 2 })).status, 204)
    await holds(site.ask(PAGE))
    await holds(site.ask('/kv?key=note'))
    await holds(site.ask('/kv/list'))
    await holds(site.contextToken().then(context => fetch(url(API), bearing(context))))
    await holds(
      site.ask('/connect/webhook', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }),
    )
    const replayed = await post(url('/connect/installed'), token, site.body('installed'))
    assert.ok([204, 401, 409].includes(replayed.status), String(replayed.status))
    await holds(site.ask(PAGE))
    await holds(post(url('/connect/disabled'), undefined, site.body('disabled')))
    assert.equal((await lifecycle(site, 'installed', { iat: now() + 4 })).status, 204)
    assert.equal(await storedValue(site, 'note'), MARK, 'kept for the time of retention')
  })

  test('A 1: nobody but the tenant itself switches it off', async () => {
    for (const event of ['enabled', 'disabled'] as const) {
      const path = `/connect/${event}`
      await holds(
        attacker.sign(attacker.claims('POST', path)).then(token => post(url(path), token, victim.body(event))),
      )
      await holds(
        attacker
          .sign({ ...attacker.claims('POST', path), iss: victim.clientKey })
          .then(token => post(url(path), token, victim.body(event))),
      )
      await holds(victim.contextToken().then(token => post(url(path), token, victim.body(event))))
    }
  })

  test('A 9: a kill in the middle of installs leaves whole tenants alone', async () => {
    const sites = Array.from({ length: 30 }, (_, index) => product.createSite(probe.baseUrl, `killed-${index}`))
    const sent = sites.map(site =>
      lifecycle(site, 'installed').then(
        ({ status }) => status,
        () => 0,
      ),
    )
    await delay(30)
    await probe.kill('SIGKILL')
    const statuses = await Promise.all(sent)
    await probe.start()
    for (const [index, site] of sites.entries()) {
      const { status } = await site.ask(PAGE)
      if (statuses[index] === 204) assert.equal(status, 200, 'a 2xx is durable')
      else assert.ok([200, 401].includes(status))
      assert.equal((await lifecycle(site, 'installed', { iat: now() + 3 })).status, 204)
      assert.equal((await site.ask(PAGE)).status, 200)
    }
  })
})

describe('H 83: what is written', () => {
  test('H 83: no secret, no token, no body of all this stands in the log', () => {
    for (const text of [victim.secret, attacker.secret, MARK, MARK.repeat(2)]) assert.ok(!probe.output.includes(text))
    assert.doesNotMatch(probe.output, /eyJ[\w-]+\.[\w-]+\.[\w-]{20,}/)
  })

  test('F 62: no secret stands readable in the database', async () => {
    const stored = await probe.stored()
    for (const secret of [victim.secret, attacker.secret]) assert.ok(!stored.includes(secret))
  })

  test('H 84: the probe is the process that was started, or started again after the one kill', () => {
    assert.ok(probe.isAlive)
  })
})
