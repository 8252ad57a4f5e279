import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkWebUrl, hostPortOf, matchesHost, originOf } from '../../../src/core/url.ts'

test('C 34: addresses that parsers read differently are refused', () => {
  const refused = [
    'https://user@host/',
    'https://user:pass@host/',
    'https://@host/',
    'https://:@host/',
    'https://good.example@evil.example/',
    'https://good.example\\@evil.example/',
    'https:\\\\host\\',
    'https://host\\path',
    'https:/host/',
    'https:host',
    'https:///host/',
    '//host/',
    '/path',
    'host',
    '',
    ' https://host/',
    'https://host/ ',
    'https://ho st/',
    'https://host/a b',
    'https://ho\tst/',
    'https://host/\n',
    'https://host/\u0000',
    'https://host/\u007f',
    'https://ho\u00adst\u200b/',
    'https://host/\u00a0',
    'https://host/\u2028',
    'ftp://host/',
    'file:///etc/passwd',
    'javascript:alert(1)',
    'data:text/plain,x',
    'ws://host/',
    'https://host:99999/',
    'https://host:port/',
    'https://[::1/',
    'https://1.2.3.4.5/',
    `https://host/${'a'.repeat(5_000)}`,
  ]
  for (const text of refused) assert.throws(() => checkWebUrl(text), { code: 'ERR_OUTBOUND_URL', status: 400 }, text)
  for (const value of [undefined, null, 7, {}, ['https://host/'], new URL('https://host/')]) {
    assert.throws(() => checkWebUrl(value), { code: 'ERR_OUTBOUND_URL' })
  }
})

test('ordinary addresses pass, in the spelling the parser gives them', () => {
  assert.equal(
    checkWebUrl('https://API.HipChat.com:443/v2/capabilities?x=@').href,
    'https://api.hipchat.com/v2/capabilities?x=@',
  )
  assert.equal(checkWebUrl('http://localhost:8080').origin, 'http://localhost:8080')
  assert.equal(checkWebUrl('https://2130706433/').hostname, '127.0.0.1')
  assert.equal(originOf('https://host:443/a'), 'https://host')
  assert.equal(hostPortOf(checkWebUrl('https://host/')), 'host:443')
  assert.equal(hostPortOf(checkWebUrl('http://[::1]/')), '[::1]:80')
})

test('hosts match exactly or by one more label', () => {
  const matching = [
    ['api.hipchat.com', 'api.hipchat.com'],
    ['localhost:8080', 'localhost:8080'],
    ['*.hipchat.com', 'example.hipchat.com'],
    ['*.hipchat.com:8443', 'example.hipchat.com:8443'],
  ] as const
  for (const [pattern, host] of matching) assert.ok(matchesHost(pattern, host), `${pattern} ${host}`)
  const different = [
    ['api.hipchat.com', 'api.hipchat.com:8080'],
    ['api.hipchat.com', 'api.hipchat.com.'],
    ['api.hipchat.com', 'xapi.hipchat.com'],
    ['*.hipchat.com', 'hipchat.com'],
    ['*.hipchat.com', '.hipchat.com'],
    ['*.hipchat.com', 'a.b.hipchat.com'],
    ['*.hipchat.com', 'evilhipchat.com'],
    ['*.hipchat.com', 'a.hipchat.com.evil.example'],
    ['*.hipchat.com', 'a.hipchat.com:8443'],
  ] as const
  for (const [pattern, host] of different) assert.ok(!matchesHost(pattern, host), `${pattern} ${host}`)
})
