// Notes on Jira issues. The panel is opened with a token made for its address; its page then calls the app with a context token, which
// names the user and the issue. On Koa.
import { randomUUID } from 'node:crypto'
import Koa from 'koa'
import { type App, type ConnectApp, type ConnectOptions, type ConnectPageContext, PartywallError } from 'partywall'
import { mount } from 'partywall/koa'
import { html } from './html.ts'

type Note = { readonly text: string; readonly author: string }

const MAX_NOTE = 1_000

export function addIssueNotes(app: App, options: Partial<ConnectOptions> = {}): ConnectApp {
  const addon = app.connect({ name: 'Issue Notes', scopes: ['READ'], ...options })
  addon
    .issuePanel(
      {
        key: 'notes',
        name: 'Notes',
        url: '/notes',
        icon: { width: 16, height: 16, url: '/icon.svg' },
        tooltip: { value: 'Notes' },
      },
      ({ locals }) => html`<!doctype html>
<title>Notes</title>
<script src="${locals.hostScriptUrl}"></script>
<script src="${locals.localBaseUrl}/notes.js" data-base="${locals.localBaseUrl}" defer></script>
<ul id="notes"></ul>
<form id="add"><input name="text" maxlength="${MAX_NOTE}" required> <button>Add</button></form>`,
    )
    // The page's script is the same for everybody, so caches may keep it.
    .staticPage('/notes.js', () => ({ status: 200, headers: ['content-type', 'text/javascript'], body: SCRIPT }))
    .staticPage('/icon.svg', () => ({ status: 200, headers: ['content-type', 'image/svg+xml'], body: ICON }))
    .api('/api/notes', async ctx => notesOf(ctx).all())
    .api(
      '/api/notes',
      async ctx => {
        // A context token proves who asks, not what he may do: the product is asked, about the signed issue.
        await ctx.authorizeJira({ project: ['EDIT_ISSUES'] })
        const note: Note = { text: await readText(ctx), author: ctx.authentication.userId ?? '' }
        // Keys come back in their order: by time, whoever writes at the same moment.
        await notesOf(ctx).set(`${new Date().toISOString()} ${randomUUID()}`, note)
        return notesOf(ctx).all()
      },
      { method: 'POST' },
    )
    .webhook('jira:issue_deleted', async ctx => {
      const { issue } = ctx.body as { readonly issue?: { readonly id?: unknown } }
      await ctx.tenantStore.narrow('notes').narrow(String(issue?.id)).clear()
    })
  return addon
}

/** The app behind Koa, with a route of the author's own: the same tenant, the same store. */
export function onKoa(app: App, addon: ConnectApp): Koa {
  const koa = new Koa()
  koa.use(mount(app))
  koa.use(addon.authenticate({ token: 'context' }))
  koa.use(async ctx => {
    if (ctx.path !== '/api/count') return
    const notes = await ctx.tenantStore.narrow('notes').all({ nested: true })
    ctx.body = { tenant: ctx.tenant.id, site: ctx.tenant.baseUrl, notes: Object.keys(notes).length }
  })
  return koa
}

/** Which issue it is says the signed context; no parameter does. */
function notesOf({ tenantStore, context }: ConnectPageContext) {
  const { issue } = (context.jira ?? {}) as { readonly issue?: { readonly id?: string | number } }
  if (issue?.id === undefined) throw new PartywallError('ERR_BODY_INVALID', { message: 'not opened on an issue' })
  return tenantStore.narrow('notes').narrow(String(issue.id))
}

async function readText({ view }: ConnectPageContext): Promise<string> {
  const text = (await view.body(4 * MAX_NOTE)).toString().trim()
  if (text === '' || text.length > MAX_NOTE)
    throw new PartywallError('ERR_BODY_INVALID', { message: 'a note of 1 to 1,000 characters' })
  return text
}

const ICON =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path d="M3 2h10v12H3z" fill="#36b37e"/></svg>'

const SCRIPT = `const { base } = document.currentScript.dataset
const list = document.getElementById('notes')
const form = document.getElementById('add')

async function call(method, body) {
  const token = await AP.context.getToken()
  const response = await fetch(base + '/api/notes', { method, body, headers: { authorization: 'JWT ' + token } })
  if (!response.ok) throw new Error('the app answered ' + response.status)
  show(await response.json())
}

function show(notes) {
  list.replaceChildren(...Object.values(notes).map(({ text, author }) => {
    const item = document.createElement('li')
    item.textContent = text + ' (' + author + ')'
    return item
  }))
}

form.addEventListener('submit', event => {
  event.preventDefault()
  call('POST', form.elements.text.value).then(() => form.reset())
})
call('GET')
`
