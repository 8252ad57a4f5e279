// What apps out there do, and the official bundler and platform let them: each of these has stopped an unmodified public app once.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { forgePackages, writeForgeApp } from '../../support/forge-packages.ts'
import { createForgeWorld } from '../../support/forge-world.ts'

const { folder: packages, skip } = await forgePackages('3.9')

/** No name of a runtime, an id that nobody has filled in, keys that nothing is done about. */
const APP = `app:
  id: ""
  runtime:
    snapshots: false
permissions:
  scopes: ['storage:app', 'read:jira-work', 'write:jira-work']
  content:
    styles: ['unsafe-inline']
resources:
  - key: not-built-yet
    path: static/panel/build
`

test(
  'functions beside a page of the first UI Kit run, in JSX and in .js; the page itself is refused with one code',
  skip,
  async t => {
    const folder = await writeForgeApp(packages, {
      'manifest.yml': `${APP}modules:
  jira:globalPage:
    - { key: old-page, function: page, title: Old }
  jira:issuePanel:
    - { key: panel, resource: not-built-yet, title: New }
  webtrigger:
    - { key: hook, function: hook }
    - { key: other-hook, function: other }
  rovo:agent:
    - { key: helper, name: Helper, prompt: Help }
  function:
    - { key: page, handler: index.page }
    - { key: hook, handler: index.hook, interval: hour }
    - { key: other, handler: parts/more.run }
`,
      'src/index.jsx': `import ForgeUI, { render, Fragment, GlobalPage, Text } from '@forge/ui'
import { storage } from '@forge/api'
const App = () => <Fragment><Text>Hello</Text></Fragment>
export const page = render(<GlobalPage><App /><>{'!'}</></GlobalPage>)
export async function hook(request) {
  await storage.set('message', request.body)
  return { statusCode: 200, body: String(await storage.get('message')) }
}
`,
      // Modules of both kinds at once, elements of somebody's own, in a file that ends in .js.
      'src/parts/more.js': `import { storage } from '@forge/api'
const React = { createElement: (type, props, ...children) => ({ type, props, children }) }
const element = <b id="x">bold</b>
exports.run = async () => ({ statusCode: 200, body: JSON.stringify({ element, message: await storage.get('message') }) })
`,
    })
    const { forge, site } = await createForgeWorld(t)
    const app = await forge({ folder })
    const installation = await app.install({ url: site('one').url })
    const call = async (key: string, body = '') =>
      (await fetch(await installation.webTriggerUrl(key), { method: 'POST', body })).text()
    assert.equal(await call('hook', 'of the day'), 'of the day')
    assert.deepEqual(JSON.parse(await call('other-hook')), {
      element: { type: 'b', props: { id: 'x' }, children: ['bold'] },
      message: 'of the day',
    })
    for (const module of ['old-page', 'helper', undefined])
      await assert.rejects(installation.invoke('anything', {}, module === undefined ? {} : { module }), {
        code: 'ERR_FORGE_NOT_SIMULATED',
        message: new RegExp(module ?? 'old-page'),
      })
    await assert.rejects(installation.invoke('anything', {}, { module: 'panel' }), { code: 'ERR_FORGE_MODULE_UNKNOWN' })
  },
)
