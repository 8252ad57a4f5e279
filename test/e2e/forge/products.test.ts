// Product calls of functions against the simulated Jira and Confluence: what the SDK's documentation shows, as apps write it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JsonValue } from 'partywall'
import { createBench } from '../../support/forge-bench.ts'
import { forgePackages, writeForgeApp } from '../../support/forge-packages.ts'
import { createForgeWorld, manifestOf } from '../../support/forge-world.ts'

const { folder: packages, skip } = await forgePackages('8.3')
const SCOPES = [
  ...['storage:app', 'read:jira-work', 'write:jira-work', 'read:jira-user'],
  ...['read:confluence-content.all', 'write:confluence-content', 'read:page:confluence', 'write:page:confluence'],
]
/** `call(method, path, body)` as the app and as the person, with what came. */
const CALL = `
  const request = product => async (method, path, body, as = 'asApp') => {
    const init = { method, headers: { Accept: 'application/json', 'Content-Type': 'application/json' }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) }
    const answer = await sdk[as]()[product](sdk.assumeTrustedRoute(path), init)
    const text = await answer.text()
    return { status: answer.status, json: text === '' ? undefined : JSON.parse(text) }
  }
  const jira = request('requestJira')
  const wiki = request('requestConfluence')
`

test(
  'Jira: issues, searches, properties, comments, transitions, watchers, work logs, projects, people, permissions',
  skip,
  async t => {
    const bench = await createBench(t, packages, { scopes: SCOPES })
    const one = await bench.customer('one')
    const seen = await one.run<Record<string, JsonValue>>(
      `${CALL}
    const { issue: key, accountId } = payload
    const made = (await jira('POST', '/rest/api/3/issue', { fields: { project: { key: 'CAR' }, summary: 'a second one', issuetype: { name: 'Task' } } })).json
    await jira('PUT', '/rest/api/3/issue/' + key, { fields: { summary: 'changed', labels: ['red'] } })
    await jira('PUT', '/rest/api/3/issue/' + key + '/properties/p', { a: 1 })
    const comment = await jira('POST', '/rest/api/3/issue/' + key + '/comment', { body: { type: 'doc', version: 1, content: [] } }, 'asUser')
    const { transitions } = (await jira('GET', '/rest/api/3/issue/' + key + '/transitions')).json
    const done = transitions.find(({ to }) => to.statusCategory.key === 'done')
    const moved = await jira('POST', '/rest/api/3/issue/' + key + '/transitions', { transition: { id: done.id } })
    await jira('PUT', '/rest/api/3/issue/' + key + '/assignee', { accountId })
    await jira('POST', '/rest/api/3/issue/' + key + '/watchers', accountId)
    const logged = await jira('POST', '/rest/api/3/issue/' + key + '/worklog', { timeSpentSeconds: 3600 }, 'asUser')
    const found = (await jira('POST', '/rest/api/3/search/jql', { jql: 'project = CAR AND labels is not EMPTY ORDER BY created', fields: ['summary'] })).json
    const firstPage = (await jira('GET', '/rest/api/3/search/jql?jql=project%20%3D%20CAR&maxResults=1')).json
    const nextPage = (await jira('GET', '/rest/api/3/search/jql?jql=project%20%3D%20CAR&maxResults=1&nextPageToken=' + firstPage.nextPageToken)).json
    const { fields } = (await jira('GET', '/rest/api/3/issue/' + key)).json
    return {
      made: made.key,
      property: (await jira('GET', '/rest/api/3/issue/' + key + '/properties/p')).json.value,
      comment: [comment.status, comment.json.author.accountId === accountId],
      moved: moved.status, status: fields.status.name, assignee: fields.assignee.displayName, summary: fields.summary,
      watchers: (await jira('GET', '/rest/api/3/issue/' + key + '/watchers')).json.watchCount,
      logged: [logged.status, (await jira('GET', '/rest/api/3/issue/' + key + '/worklog')).json.total],
      found: found.issues.map(({ key }) => key),
      pages: [firstPage.issues.length, firstPage.isLast, nextPage.issues.length, nextPage.isLast],
      projects: (await jira('GET', '/rest/api/3/project/search')).json.values.map(({ key }) => key),
      project: (await jira('GET', '/rest/api/3/project/CAR')).json.key,
      people: (await jira('GET', '/rest/api/3/user/search?query=ada')).json.map(({ displayName }) => displayName),
      self: (await jira('GET', '/rest/api/3/myself', undefined, 'asUser')).json.displayName,
      may: (await jira('GET', '/rest/api/3/mypermissions?permissions=EDIT_ISSUES,ADMINISTER', undefined, 'asUser')).json.permissions,
      checked: (await jira('POST', '/rest/api/3/permissions/check', { accountId, projectPermissions: [{ permissions: ['EDIT_ISSUES', 'ADMINISTER'], issues: [], projects: [] }] })).json.projectPermissions.map(({ permission }) => permission),
      authorized: (await sdk.authorize().onJiraIssue(Number((await jira('GET', '/rest/api/3/issue/' + key)).json.id)).canEdit()),
      fields: (await jira('GET', '/rest/api/3/field')).json.some(({ id }) => id === 'summary'),
      missing: (await jira('GET', '/rest/api/3/issue/CAR-99')).status,
    }`,
      { issue: one.issueKey, accountId: one.accountId },
    )
    const { may, ...rest } = seen
    assert.deepEqual(rest, {
      made: 'CAR-2',
      property: { a: 1 },
      comment: [201, true],
      moved: 204,
      status: 'Done',
      assignee: 'Ada of one',
      summary: 'changed',
      watchers: 1,
      logged: [201, 1],
      found: ['CAR-1'],
      pages: [1, false, 1, true],
      projects: ['CAR'],
      project: 'CAR',
      people: ['Ada of one'],
      self: 'Ada of one',
      checked: ['EDIT_ISSUES'],
      authorized: true,
      fields: true,
      missing: 404,
    })
    const permissions = may as Record<string, { havePermission: boolean }>
    assert.deepEqual([permissions.EDIT_ISSUES?.havePermission, permissions.ADMINISTER?.havePermission], [true, false])
  },
)

test(
  'a macro’s back end in TypeScript: pages, spaces, content properties, comments, labels, of both APIs',
  skip,
  async t => {
    const { forge, site } = await createForgeWorld(t)
    const folder = await writeForgeApp(packages, {
      'manifest.yml': manifestOf(`modules:
  macro:
    - key: pages
      title: Pages
      resource: main
      render: native
      resolver:
        function: resolver
      config: true
  function:
    - key: resolver
      handler: backend/resolver.handler
resources:
  - key: main
    path: src/frontend/index.jsx
permissions:
  scopes: ${JSON.stringify(SCOPES)}
`),
      'src/frontend/index.jsx': `throw new Error('never a part of the back end')`,
      'src/shared/words.ts': `export const greeting: string = 'Hello'`,
      'src/backend/resolver.ts': `
      import api, { route } from '@forge/api'
      import Resolver from '@forge/resolver'
      import { greeting } from '../shared/words'
      const resolver = new Resolver()
      resolver.define('all', async ({ context }) => {
        const { content, space } = context.extension as { content: { id: string }; space: { key: string } }
        const wiki = async (method: string, path: ReturnType<typeof route>, body?: unknown) => {
          const answer = await api.asApp().requestConfluence(path, { method, headers: { 'Content-Type': 'application/json' }, ...(body ? { body: JSON.stringify(body) } : {}) })
          return answer.status === 204 ? undefined : answer.json()
        }
        const page = await wiki('GET', route\`/wiki/api/v2/pages/\${content.id}?body-format=storage\`)
        const edited = await wiki('PUT', route\`/wiki/api/v2/pages/\${content.id}\`, { id: content.id, status: 'current', title: greeting, body: { representation: 'storage', value: '<p>new</p>' }, version: { number: 2 } })
        const property = await wiki('POST', route\`/wiki/api/v2/pages/\${content.id}/properties\`, { key: 'seen', value: { n: 1 } })
        await wiki('PUT', route\`/wiki/api/v2/pages/\${content.id}/properties/\${property.id}\`, { key: 'seen', value: { n: 2 }, version: { number: 2 } })
        await wiki('POST', route\`/wiki/api/v2/footer-comments\`, { pageId: content.id, body: { representation: 'storage', value: '<p>well</p>' } })
        await wiki('POST', route\`/wiki/rest/api/content/\${content.id}/label\`, [{ prefix: 'global', name: 'red' }])
        const child = await wiki('POST', route\`/wiki/api/v2/pages\`, { spaceId: page.spaceId, title: 'Another', body: { representation: 'storage', value: 'x' } })
        return {
          title: page.title, body: page.body.storage.value, edited: [edited.title, edited.version.number], child: child.title,
          property: (await wiki('GET', route\`/wiki/rest/api/content/\${content.id}/property/seen\`)).value,
          comments: (await wiki('GET', route\`/wiki/api/v2/pages/\${content.id}/footer-comments\`)).results.length,
          labels: (await wiki('GET', route\`/wiki/rest/api/content/\${content.id}/label\`)).results.map((one: { name: string }) => one.name),
          spaces: (await wiki('GET', route\`/wiki/api/v2/spaces?keys=\${space.key}\`)).results.map((one: { key: string }) => one.key),
          listed: (await wiki('GET', route\`/wiki/api/v2/spaces/\${page.spaceId}/pages?limit=1\`))._links.next,
          old: (await wiki('GET', route\`/wiki/rest/api/content/\${content.id}?expand=body.storage\`)).title,
          searched: (await wiki('GET', route\`/wiki/rest/api/content/search?cql=\${'space = ' + space.key + ' and title = "Another"'}\`)).size,
        }
      })
      export const handler = resolver.getDefinitions()`,
    })
    const app = await forge({ folder })
    const place = site('docs')
    const page = place.createContent(place.createSpace({ key: 'DOC' }), { title: 'Handbook', body: '<p>old</p>' })
    const installation = await app.install({ url: place.url })
    assert.equal(installation.site.product, 'confluence')
    const seen = (await installation.invoke('all', undefined, {
      extension: { content: { id: page.id, type: 'page' }, space: { key: 'DOC' } },
    })) as Record<string, JsonValue>
    const { listed, ...rest } = seen
    assert.match(String(listed), /^\/wiki\/api\/v2\/spaces\/\d+\/pages\?.*cursor=1/)
    assert.deepEqual(rest, {
      title: 'Handbook',
      body: '<p>old</p>',
      edited: ['Hello', 2],
      child: 'Another',
      property: { n: 2 },
      comments: 1,
      labels: ['red'],
      spaces: ['DOC'],
      old: 'Hello',
      searched: 1,
    })
  },
)
