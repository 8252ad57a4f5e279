// What an author says becomes the descriptor, or an error that names the path.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JsonObject } from '../../../../src/core/tenant.ts'
import { createDescription } from '../../../../src/dialects/connect/description.ts'
import { createModuleBuilder } from '../../../../src/dialects/connect/module-builder.ts'
import type { ConnectAddonOptions } from '../../../../src/dialects/connect/options.ts'
import { routePathOf } from '../../../../src/dialects/connect/route-path.ts'

const app = { key: 'com.example.app', environment: 'staging', baseUrl: 'https://app.example.com' }

function describe(options: ConnectAddonOptions) {
  const warned: string[] = []
  const warn = (event: string, fields?: object) => void warned.push(`${event} ${JSON.stringify(fields)}`)
  const logger = { debug: warn, info: warn, warn, error: warn }
  return { description: createDescription(options, { app, logger }), warned }
}
const descriptorOf = (options: ConnectAddonOptions): JsonObject => describe(options).description.descriptor()
const given = (descriptor: JsonObject, options: ConnectAddonOptions = {}) =>
  descriptorOf({ name: 'App', descriptor, ...options })
const refusal = (work: () => unknown): string => {
  try {
    work()
  } catch (error) {
    assert.ok(error instanceof Error && 'code' in error && error.code === 'ERR_DESCRIPTOR_INVALID', String(error))
    return error.message
  }
  return 'nothing'
}

test('options alone make a whole descriptor', () => {
  assert.deepEqual(descriptorOf({ name: 'App', scopes: ['READ'], path: '/jira' }), {
    key: 'com.example.app',
    name: 'App',
    description: 'App',
    baseUrl: 'https://app.example.com/jira',
    authentication: { type: 'jwt' },
    scopes: ['READ'],
    apiMigrations: { gdpr: true, 'signed-install': true, 'context-qsh': true },
    lifecycle: { installed: '/installed', uninstalled: '/uninstalled', enabled: '/enabled', disabled: '/disabled' },
    links: { homepage: 'https://app.example.com/jira/', self: 'https://app.example.com/jira/atlassian-connect.json' },
    modules: {},
  })
})

test('a file is published, options win over it, and our addresses are ours', () => {
  const descriptor = given(
    {
      name: 'File',
      vendor: { name: 'Vendor' },
      baseUrl: 'https://evil.example.com',
      authentication: { type: 'JWT' },
      lifecycle: { installed: '/hook' },
      links: { self: 'https://evil.example.com/self', documentation: 'https://docs.example.com' },
      apiMigrations: { gdpr: true },
      translations: { paths: { de: '/de.json' } },
    },
    { name: 'Option' },
  )
  assert.equal(descriptor.name, 'Option')
  assert.deepEqual(descriptor.vendor, { name: 'Vendor' })
  assert.equal(descriptor.baseUrl, 'https://app.example.com')
  assert.equal((descriptor.lifecycle as JsonObject).installed, '/installed')
  assert.deepEqual(descriptor.links, {
    homepage: 'https://app.example.com/',
    documentation: 'https://docs.example.com',
    self: 'https://app.example.com/atlassian-connect.json',
  })
  assert.deepEqual(descriptor.apiMigrations, { gdpr: true })
  assert.deepEqual(descriptor.translations, { paths: { de: '/de.json' } })
  assert.equal(descriptorOf({ descriptor: { name: 'File' } }).name, 'File')
})

test('templates are filled in every text, every time they stand there', () => {
  const { description } = given(
    { description: '{{appKey}} in {{environment}} at {{localBaseUrl}}, {{localBaseUrl}} of {{owner}}' },
    {
      descriptorValues: { owner: 'Ada' },
    },
  )
  assert.equal(description, 'com.example.app in staging at https://app.example.com, https://app.example.com of Ada')
  assert.equal(
    refusal(() => given({ modules: { dialogs: [{ key: 'a', url: '{{nothing}}' }] } })),
    'descriptor.modules.dialogs[0].url: nothing is given for {{nothing}}',
  )
})

test('a transformer has the last word, but not on our addresses', () => {
  const descriptor = given(
    { name: 'App' },
    { descriptorTransformer: made => ({ ...made, description: 'changed', baseUrl: 'https://evil.example.com' }) },
  )
  assert.equal(descriptor.description, 'changed')
  assert.equal(descriptor.baseUrl, 'https://app.example.com')
  assert.match(
    refusal(() => given({}, { descriptorTransformer: made => ({ ...made, apiVersion: 'one' }) })),
    /^descriptor\.apiVersion/,
  )
})

const WRONG: readonly (readonly [JsonObject, RegExp])[] = [
  [{ authentication: { type: 'none' } }, /^descriptor\.authentication\.type/],
  [{ lifecycle: { installed: 'https://other.example.com/' } }, /^descriptor\.lifecycle\.installed/],
  [{ apiMigrations: { gdpr: 'yes' } }, /^descriptor\.apiMigrations\.gdpr/],
  [{ key: 'a b' }, /^key /],
  [{ scopes: ['EVERYTHING'] }, /^unknown scope EVERYTHING/],
  [{ dataResidency: { maxMigrationDurationHours: 48 } }, /^descriptor\.dataResidency/],
  [{ modules: { dialogs: [{ key: 'a' }], webPanels: [{ key: 'a' }] } }, /share the key a$/],
  [{ modules: { generalPages: [{ key: ' ' }] } }, /^modules\.generalPages\[0\]\.key/],
  [{ modules: { webhooks: [{ event: 'a', url: 'https://other.example.com/' }] } }, /^modules\.webhooks\[0\]\.url/],
]
for (const [descriptor, message] of WRONG) {
  test(`refused: ${JSON.stringify(descriptor)}`, () =>
    assert.match(
      refusal(() => given(descriptor)),
      message,
    ))
}

test('what nobody knows is published and told, never refused', () => {
  const { description, warned } = describe({
    name: 'App',
    descriptor: { brandNew: 1, modules: { jiraNovelties: [{ key: 'a' }] } },
  })
  assert.equal(description.descriptor().brandNew, 1)
  assert.deepEqual((description.descriptor().modules as JsonObject).jiraNovelties, [{ key: 'a' }])
  description.changed()
  for (const name of ['brandNew', 'jiraNovelties']) {
    assert.equal(warned.filter(line => line.includes(name)).length, 1, name)
  }
})

test('Bitbucket takes no opt-ins', () => {
  assert.equal(descriptorOf({ name: 'App', family: 'bitbucket' }).apiMigrations, undefined)
  assert.match(
    refusal(() => given({ apiMigrations: { gdpr: true } }, { family: 'bitbucket' })),
    /^descriptor\.apiMigrations/,
  )
})

test('the builder puts addresses where each kind of module has them', () => {
  const builder = createModuleBuilder(({ kind, module }) => [kind, module])
  const handler = () => undefined
  assert.deepEqual(builder.generalPage({ key: 'a', name: 'A' }, handler), [
    'generalPages',
    { key: 'a', name: { value: 'A' }, url: '/a' },
  ])
  assert.deepEqual(builder.issuePanel({ key: 'p', name: 'P' }, handler), [
    'jiraIssueContents',
    { key: 'p', name: { value: 'P' }, target: { type: 'web_panel', url: '/p' } },
  ])
  assert.deepEqual(builder.webItem({ key: 'w', url: '/w' }), ['webItems', { key: 'w', url: '/w' }])
})

test('variables of an address are segments of a route', () => {
  assert.equal(routePathOf('/panel/{issue.key}?x={project.id}', 'url'), '/panel/:issue_key')
  for (const url of ['panel', '//other.example.com/', '/a-{issue.key}', '/../x', 'https://other.example.com/']) {
    assert.notEqual(
      refusal(() => routePathOf(url, 'url')),
      'nothing',
      url,
    )
  }
})
