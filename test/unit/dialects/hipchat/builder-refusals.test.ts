// What the builder refuses, and which field it names.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isPartywallError } from '../../../../src/core/errors.ts'
import type { HipchatAddon } from '../../../../src/dialects/hipchat/addon.ts'
import { createWorld } from './world.ts'

const glance = { key: 'open', name: 'Open', icon: '/i.png', target: 'list' }
const panel = { key: 'list', name: 'List', url: '/list' }
const dialog = { key: 'ask', title: 'Ask', url: '/ask' }
const action = { key: 'keep', name: 'Keep', location: 'hipchat.message.action', target: 'ask' }
const page = { key: 'help', name: 'Help', url: '/help' }
const command = { name: '/greet', description: 'Says hello' }
const long = 'x'.repeat(101)

type Kind = 'glance' | 'webPanel' | 'dialog' | 'action' | 'externalPage' | 'command' | 'configurable' | 'adminPage'
/** Kind, definition, and the field that the error names. */
const REFUSED: readonly [Kind | 'oauth2Consumer', object, string][] = [
  ['glance', { ...glance, key: '' }, 'glance[0].key'],
  ['glance', { ...glance, key: 'k'.repeat(41) }, 'glance[0].key'],
  ['glance', { ...glance, key: 7 }, 'glance[0].key'],
  ['glance', { ...glance, name: '' }, 'glance[0].name.value'],
  ['glance', { ...glance, name: long }, 'glance[0].name.value'],
  ['glance', { ...glance, name: { value: 'Open', i18n: 'k'.repeat(41) } }, 'glance[0].name.i18n'],
  ['glance', { ...glance, icon: undefined }, 'glance[0].icon'],
  ['glance', { ...glance, icon: { url: 'javascript:alert(1)' } }, 'glance[0].icon.url'],
  ['glance', { ...glance, icon: { url: '/i.png', 'url@2x': 'https://user@cdn.example/' } }, 'glance[0].icon.url@2x'],
  ['glance', { ...glance, queryUrl: 'https://elsewhere.example/glance' }, 'glance[0].queryUrl'],
  ['glance', { ...glance, target: '' }, 'glance[0].target'],
  ['glance', { ...glance, target: { options: {} } }, 'glance[0].target'],
  ['glance', { ...glance, weight: 1.5 }, 'glance[0].weight'],
  ['glance', { ...glance, wieght: 1 }, 'glance[0]'],
  ['glance', { ...glance, conditions: {} }, 'glance[0].conditions'],
  ['glance', { ...glance, conditions: [{ condition: 'user_is_king' }] }, 'glance[0].conditions[0].condition'],
  ['glance', { ...glance, conditions: [{ condition: 'message_matches' }] }, 'glance[0].conditions[0].condition'],
  ['glance', { ...glance, conditions: [{ condition: 'user_is_guest', inverted: true }] }, 'glance[0].conditions[0]'],
  ['glance', { ...glance, conditions: [{ type: 'xor', conditions: [] }] }, 'glance[0].conditions[0].type'],
  [
    'glance',
    { ...glance, conditions: [{ type: 'and', conditions: [{ condition: 'user_is_guest' }, { condition: 'x' }] }] },
    'glance[0].conditions[0].conditions[1].condition',
  ],
  ['webPanel', { ...panel, location: 'hipchat.sidebar.left' }, 'webPanel[0].location'],
  ['webPanel', { ...panel, url: undefined }, 'webPanel[0].url'],
  ['webPanel', { ...panel, url: 'https://greeter.example.evil.example/' }, 'webPanel[0].url'],
  ['webPanel', { ...panel, url: 'http://greeter.example/list' }, 'webPanel[0].url'],
  ['webPanel', { ...panel, url: '//elsewhere.example/list' }, 'webPanel[0].url'],
  ['webPanel', { ...panel, url: '/\\elsewhere.example' }, 'webPanel[0].url'],
  ['webPanel', { ...panel, url: '/../list' }, 'webPanel[0].url'],
  ['webPanel', { ...panel, url: 'a/%2E%2e/list' }, 'webPanel[0].url'],
  ['webPanel', { ...panel, conditions: [] }, 'webPanel[0]'],
  ['dialog', { ...dialog, title: undefined }, 'dialog[0].title'],
  ['dialog', { ...dialog, url: 'https://elsewhere.example' }, 'dialog[0].url'],
  ['dialog', { ...dialog, options: { style: 'loud' } }, 'dialog[0].options.style'],
  ['dialog', { ...dialog, options: { primaryAction: {} } }, 'dialog[0].options.primaryAction.name'],
  [
    'dialog',
    { ...dialog, options: { secondaryActions: [{ name: 'a' }, { name: '' }] } },
    'dialog[0].options.secondaryActions[1].name.value',
  ],
  ['dialog', { ...dialog, options: { size: { width: '4em', height: '1px' } } }, 'dialog[0].options.size.width'],
  ['dialog', { ...dialog, options: { size: { width: '4px', height: 60 } } }, 'dialog[0].options.size.height'],
  ['dialog', { ...dialog, options: { hint: 7 } }, 'dialog[0].options.hint'],
  ['dialog', { ...dialog, options: { filter: {} } }, 'dialog[0].options.filter.placeholder'],
  ['action', { ...action, location: 'hipchat.sidebar.right' }, 'action[0].location'],
  ['action', { ...action, target: undefined }, 'action[0].target'],
  ['action', { ...action, conditions: [{ condition: 'glance_matches' }] }, 'action[0].conditions[0].condition'],
  ['externalPage', { ...page, url: 'https://elsewhere.example/help' }, 'externalPage[0].url'],
  ['externalPage', { ...page, name: undefined }, 'externalPage[0].name'],
  ['command', { ...command, name: 'greet' }, 'command[0].name'],
  ['command', { ...command, name: '/Greet' }, 'command[0].name'],
  ['command', { ...command, name: '/greet2' }, 'command[0].name'],
  ['command', { ...command, aliases: ['/hi', '/hi there'] }, 'command[0].aliases[1]'],
  ['command', { name: '/greet' }, 'command[0].description'],
  ['configurable', { url: 'https://elsewhere.example/' }, 'configurable.url'],
  ['configurable', { url: '/a', allowAccessToRoomAdmins: 'yes' }, 'configurable.allowAccessToRoomAdmins'],
  ['adminPage', {}, 'adminPage.url'],
  ['oauth2Consumer', { redirectionUrls: [] }, 'oauth2Consumer.redirectionUrls'],
  ['oauth2Consumer', { redirectionUrls: ['/a', 'ftp://a.example'] }, 'oauth2Consumer.redirectionUrls[1]'],
]

for (const [kind, definition, path] of REFUSED) {
  test(`refused at ${path}: ${JSON.stringify(definition).slice(0, 90)}`, () => {
    assert.equal(
      refusedAt(addon => Reflect.apply(addon[kind], addon, [definition])),
      path,
    )
  })
}

test('what is declared twice is refused, by kind and key', () => {
  const twice: [(addon: HipchatAddon) => unknown, string][] = [
    [
      addon => addon.glance('a', 'A', '/i', 'x').glance('b', 'B', '/i', 'x').glance('a', 'C', '/i', 'x'),
      'glance[2].key',
    ],
    [addon => addon.command(command).command(command), 'command[1].name'],
    [addon => addon.configurable('/a').configurable('/b'), 'configurable'],
    [addon => addon.adminPage('/a').adminPage('/b'), 'adminPage'],
    [
      addon =>
        addon.webhook({ event: 'room_enter', key: 'k' }, () => 1).webhook({ event: 'room_exit', key: 'k' }, () => 1),
      'webhook[1].key',
    ],
  ]
  for (const [build, path] of twice) assert.equal(refusedAt(build), path)
  assert.doesNotThrow(() => createWorld({}, addon => addon.dialog('a', 'A', '/a').externalPage('a', 'A', '/a')))
})

test('a handler needs a path that a route can have', () => {
  const page = () => ''
  assert.match(
    refusal(addon => addon.webPanel({ key: 'a b', name: 'A' }, page)),
    /^webPanel\[0\]\.key /,
  )
  assert.match(
    refusal(addon => addon.webPanel({ key: '..', name: 'A' }, page)),
    /^webPanel\[0\]\.key /,
  )
  assert.match(
    refusal(addon => addon.dialog({ key: 'a', title: 'A', url: '/a?b' }, page)),
    /^dialog\[0\]\.url /,
  )
  assert.match(
    refusal(addon => addon.adminPage({ url: 'https://greeter.example/a' }, page)),
    /^adminPage\.url /,
  )
})

test('an address that gets the tenant’s token says where it must be, and repeats nothing of what was written', () => {
  const said = refusal(addon => addon.webPanel('a', 'A', 'hipchat.sidebar.right', 'https://elsewhere.example/x'))
  assert.match(said, /must be on https:\/\/greeter\.example/)
  assert.doesNotMatch(said, /elsewhere/)
})

function refusedAt(build: (addon: HipchatAddon) => unknown): unknown {
  return failure(build).details.path
}

const refusal = (build: (addon: HipchatAddon) => unknown): string => failure(build).message

function failure(build: (addon: HipchatAddon) => unknown) {
  try {
    void createWorld({}, addon => void build(addon))
  } catch (error) {
    if (isPartywallError(error, 'ERR_DESCRIPTOR_INVALID')) return error
    throw error
  }
  return assert.fail('nothing was refused')
}
