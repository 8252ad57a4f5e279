import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isPublicAddress, literalAddress, refusePrivate } from '../../../src/http/address.ts'

test('C 35: addresses that are not public are refused, in every form', () => {
  const refused = [
    ['0.0.0.0', '0.1.2.3', '127.0.0.1', '127.255.255.254', '10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.0.1'],
    ['169.254.169.254', '169.254.170.2', '100.64.0.1', '100.100.100.200', '168.63.129.16', '192.0.0.192', '192.0.2.1'],
    ['198.18.0.1', '198.51.100.1', '203.0.113.1', '224.0.0.1', '239.255.255.255', '240.0.0.1', '255.255.255.255'],
    [
      '::',
      '::1',
      '::127.0.0.1',
      '::8.8.8.8',
      '::ffff:127.0.0.1',
      '::ffff:8.8.8.8',
      '::ffff:a9fe:a9fe',
      '::ffff:0:8.8.8.8',
    ],
    [
      '64:ff9b::7f00:1',
      '64:ff9b::808:808',
      '64:ff9b:1::1',
      '2002:7f00:1::',
      '2001::1',
      '2001:db8::1',
      '3fff::1',
      '5f00::1',
    ],
    [
      'fe80::1',
      'fe80::1%eth0',
      'febf::1',
      'fec0::1',
      'fc00::1',
      'fd00:ec2::254',
      'ff02::1',
      '100::1',
      '4000::1',
      '1::1',
    ],
    ['', 'localhost', '256.1.1.1', '1.2.3', 'not an address'],
  ].flat()
  for (const address of refused) assert.equal(isPublicAddress(address), false, address)
  for (const address of [
    '8.8.8.8',
    '1.1.1.1',
    '172.32.0.1',
    '100.63.255.255',
    '2606:4700::1111',
    '2a00:1450:4001::1',
  ]) {
    assert.equal(isPublicAddress(address), true, address)
  }
})

test('C 35: one private address among several refuses them all, unless configuration names host and port', () => {
  const addresses = ['8.8.8.8', '127.0.0.1']
  assert.throws(() => refusePrivate(addresses, 'host:443', new Set()), { code: 'ERR_OUTBOUND_REFUSED' })
  assert.throws(() => refusePrivate([], 'host:443', new Set()), { code: 'ERR_OUTBOUND_REFUSED' })
  assert.throws(() => refusePrivate(addresses, 'host:443', new Set(['host:8443'])), { code: 'ERR_OUTBOUND_REFUSED' })
  assert.doesNotThrow(() => refusePrivate(addresses, 'host:443', new Set(['host:443'])))
  assert.doesNotThrow(() => refusePrivate(['8.8.8.8'], 'host:443', new Set()))
})

test('C 35: a host that configuration names as private reaches private networks, and nothing else that is special', () => {
  const inside = new Set(['chat.corp.example:443'])
  const check = (addresses: readonly string[], hostPort = 'chat.corp.example:443') =>
    refusePrivate(addresses, hostPort, new Set(), inside)
  for (const address of ['10.0.0.1', '172.16.0.1', '192.168.255.1', 'fc00::1', 'fd12:3456::1', '8.8.8.8']) {
    assert.doesNotThrow(() => check([address]), address)
  }
  assert.doesNotThrow(() => check(['10.0.0.1', '8.8.8.8']))
  for (const address of [
    ...['127.0.0.1', '0.0.0.0', '169.254.169.254', '100.100.100.200', '168.63.129.16', '192.0.0.192', '224.0.0.1'],
    ...['::1', '::', 'fe80::1', 'fd00:ec2::254', 'fd20:ce::254', '::ffff:10.0.0.1', '64:ff9b::a00:1', '2002:a00:1::'],
    ...['localhost', ''],
  ]) {
    assert.throws(() => check([address]), { code: 'ERR_OUTBOUND_REFUSED' }, address)
    assert.throws(() => check(['10.0.0.1', address]), { code: 'ERR_OUTBOUND_REFUSED' }, address)
  }
  assert.throws(() => check([]), { code: 'ERR_OUTBOUND_REFUSED' })
  assert.throws(() => check(['10.0.0.1'], 'chat.corp.example:8443'), { code: 'ERR_OUTBOUND_REFUSED' })
})

test('C 35: addresses written into a URL are recognised in every spelling the parser takes', () => {
  const spellings = [
    ['http://127.0.0.1/', '127.0.0.1'],
    ['http://2130706433/', '127.0.0.1'],
    ['http://0x7f000001/', '127.0.0.1'],
    ['http://0177.0.0.1/', '127.0.0.1'],
    ['http://127.1/', '127.0.0.1'],
    ['http://%31%32%37.0.0.1/', '127.0.0.1'],
    ['http://１２７.0.0.1/', '127.0.0.1'],
    ['http://127。0。0。1/', '127.0.0.1'],
    ['http://127.0.0.1./', '127.0.0.1'],
    ['http://0/', '0.0.0.0'],
    ['http://[::1]/', '::1'],
    ['http://[0:0:0:0:0:0:0:1]/', '::1'],
    ['http://[::ffff:127.0.0.1]/', '::ffff:7f00:1'],
  ] as const
  for (const [text, address] of spellings) assert.equal(literalAddress(new URL(text).hostname), address, text)
  for (const name of ['localhost', 'example.com', 'a.1x', '']) assert.equal(literalAddress(name), undefined)
})
