// Egress: which addresses an entry of the manifest covers, and that one address has one reading.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isAllowedAddress, isOpenPort } from '../../../src/forge/egress/allowlist.ts'

test('an entry covers its protocol and host, a wildcard its subdomains and not the apex, a star everything', () => {
  const cases = [
    ['https://api.example.com/v1?x=1#y', ['https://api.example.com'], true],
    ['https://API.example.com/', ['https://api.example.com/some/path'], true],
    ['https://api.example.com/', ['api.example.com'], true],
    ['http://api.example.com/', ['api.example.com'], false],
    ['http://api.example.com/', ['http://api.example.com'], true],
    ['https://a.b.example.com/', ['*.example.com'], true],
    ['https://example.com/', ['*.example.com'], false],
    ['https://evilexample.com/', ['*.example.com'], false],
    ['https://a.example.com.evil.org/', ['*.example.com'], false],
    ['https://api.example.com:8443/', ['https://api.example.com'], false],
    ['https://api.example.com:8443/', ['https://api.example.com:8443'], true],
    ['https://anything.example.org/', ['*'], true],
    ['https://a.example.com/', ['https://*'], true],
    ['https://a+b.example.com/', ['https://a+b.example.com'], true],
    ['https://axb.example.com/', ['https://a.b.example.com'], false],
    ['https://api.example.com/', [], false],
  ] as const
  for (const [url, allowed, expected] of cases)
    assert.equal(isAllowedAddress(url, allowed), expected, `${url} by ${allowed}`)
})

test('an address with two readings is refused, also where everything is allowed', () => {
  const odd = [
    ...['https://user@api.example.com/', 'https://user:pass@api.example.com/', 'https://api.example.com@evil.org/'],
    ...[
      'https:\\\\api.example.com/',
      'https:/api.example.com/',
      'https:api.example.com/',
      '//api.example.com/',
      'api.example.com',
    ],
    ...[
      'https://api.example.com%2f.evil.org/',
      'https://api.example.com%00/',
      ' https://api.example.com/',
      'https://api.exa\tmple.com/',
    ],
    ...[
      'https://0x7f.1/',
      'https://2130706433/',
      'https://127.1/',
      'https://ⓔxample.com/',
      '',
      'javascript:alert(1)',
      'file:///etc/passwd',
    ],
  ]
  for (const url of odd) {
    assert.equal(isAllowedAddress(url, ['https://api.example.com']), false, url)
    if (!/^(?:javascript|file)/.test(url)) assert.equal(isAllowedAddress(url, ['*']), false, `${url} by *`)
  }
})

test('the platform’s ports are open, others are not', () => {
  for (const port of ['', '80', '443', '8080', '8443']) assert.equal(isOpenPort(port), true, port)
  for (const port of ['22', '25', '5432', '6379', '9200', '8081']) assert.equal(isOpenPort(port), false, port)
})
