// Hosts that an app may reach inside: what counts as a name, and where it is taken.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readConfiguration } from '../../src/configuration.ts'

const read = (privateHosts: readonly string[]) =>
  readConfiguration(
    { key: 'com.example.app', baseUrl: 'https://app.example', privateHosts },
    { NODE_ENV: 'production' },
  ).privateHosts

test('C 35: private hosts are exact names, taken in production because they are written out', () => {
  assert.deepEqual(read([]), [])
  assert.deepEqual(read(['Chat.Corp.Example', 'chat.corp.example:8443', '10.1.2.3:443', '[fd12::1]:8443']), [
    'chat.corp.example:443',
    'chat.corp.example:8443',
    '10.1.2.3:443',
    '[fd12::1]:8443',
  ])
  for (const host of [
    '*.corp.example',
    'https://chat.corp.example',
    'chat.corp.example/x',
    'a:99999',
    '10.0.0.0/8',
    '',
  ]) {
    assert.throws(() => read([host]), { code: 'ERR_CONFIG' }, host)
  }
})
