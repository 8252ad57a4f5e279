// The link with which an install begins.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createWorld } from './world.ts'

const { addon } = createWorld()
const partsOf = (link: string) => {
  const { origin, pathname, searchParams } = new URL(link)
  return { at: origin + pathname, ...Object.fromEntries(searchParams) }
}
const url = 'https://greeter.example/addon/capabilities'

test('the link names the descriptor at the host, in the documented parameters, encoded', () => {
  assert.deepEqual(partsOf(addon.installUrl()), { at: 'https://www.hipchat.com/addons/install', url })
  const options = { room: 'Café & bar', relayState: 'a=b&url=https://evil.example#' }
  const expected = { at: 'https://chat.example:8443/hipchat/addons/install', url, ...options }
  assert.deepEqual(partsOf(addon.installUrl('https://chat.example:8443/hipchat/?x=1#y', options)), expected)
  assert.deepEqual(partsOf(addon.installUrl('https://chat.example', { key: 'com.example.greeter' })), {
    at: 'https://chat.example/addons/install',
    key: 'com.example.greeter',
  })
})

test('a link can carry the descriptor itself', () => {
  const { url: data } = partsOf(addon.installUrl('https://chat.example', { isInline: true })) as { url?: string }
  const [, text = ''] = data?.split('base64,') ?? []
  assert.deepEqual(JSON.parse(Buffer.from(text, 'base64').toString()), addon.descriptor)
})

test('what is no plain web address gets no link', () => {
  for (const host of ['javascript:alert(1)', '//chat.example', 'https://u:p@chat.example', 'chat.example', '']) {
    assert.throws(() => addon.installUrl(host), { code: 'ERR_OUTBOUND_URL' }, host)
  }
  assert.throws(() => addon.installUrl('https://chat.example', { key: 'k', isInline: true }), TypeError)
})
