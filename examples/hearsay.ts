// Hearsay: people type patterns into the configuration page, and the add-on hears messages of their room that match.
import {
  type Answer,
  type App,
  type HipchatApp,
  type HipchatOptions,
  type HipchatPageContext,
  isPartywallError,
} from 'partywall'

const ICON = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7"/></svg>'

export function addHearsay(app: App, options: Partial<HipchatOptions> = {}): HipchatApp {
  const addon = app.hipchat({
    name: 'Hearsay',
    // `admin_room` to register webhooks, `view_room` to push the glance.
    scopes: ['admin_room', 'send_notification', 'view_room'],
    allowGlobal: false,
    ...options,
  })

  // A handler instead of an address: the page is behind authentication, as everything that `page` adds.
  addon.configurable({ url: '/configure', allowAccessToRoomAdmins: true }, ctx => showPage(ctx))

  addon.page(
    '/patterns',
    async ctx => {
      const pattern = (await readForm(ctx)).get('pattern') ?? ''
      try {
        // Registered at the host for this tenant's room, with a token of this tenant; the same pattern twice is one webhook.
        const { name } = await ctx.tenantWebhooks.add('room_message', pattern)
        await ctx.tenantStore.narrow('patterns').set(name, pattern)
      } catch (error) {
        // A pattern that could run for ever on somebody's message is refused before anything is registered.
        if (!isPartywallError(error, 'ERR_PATTERN_UNSUPPORTED')) throw error
        return refuse(ctx, error.message)
      }
      return showPage(ctx)
    },
    { method: 'POST' },
  )

  addon.page(
    '/patterns/remove',
    async ctx => {
      const name = (await readForm(ctx)).get('name') ?? ''
      if (name === '' || (await ctx.tenantWebhooks.get(name)) === undefined) return refuse(ctx, 'No such pattern')
      await ctx.tenantWebhooks.remove(name)
      await ctx.tenantStore.narrow('patterns').del(name)
      return showPage(ctx)
    },
    { method: 'POST' },
  )

  // Runs for webhooks that tenants registered themselves; the add-on's descriptor declares none.
  addon.onWebhook('room_message', async ctx => {
    const heard = (await ctx.tenantStore.update<number>('heard', (count = 0) => count + 1)) ?? 0
    await ctx.roomClient.sendNotification(`Heard “${ctx.match?.[0]}”`, { format: 'text' })
    if (ctx.room) await ctx.tenantClient.glancePushRoom(ctx.room.id, [['heard', glance(heard)]])
  })

  addon.page('/icon.svg', () => answer(200, ICON, 'image/svg+xml'), { public: true })
  addon.glance({ key: 'heard', name: 'Hearsay', icon: '/icon.svg' }, async ctx =>
    glance(Number((await ctx.tenantStore.get('heard')) ?? 0)),
  )
  return addon
}

const glance = (heard: number) => ({ label: `<b>${heard}</b> heard` })

const readForm = async ({ view }: HipchatPageContext) => new URLSearchParams((await view.body(16_384)).toString())

const refuse = async (ctx: HipchatPageContext, message: string): Promise<Answer> =>
  answer(400, await showPage(ctx, message), 'text/html; charset=utf-8')

const answer = (status: number, body: string, type: string): Answer => ({
  status,
  headers: ['content-type', type],
  body,
})

/** The forms carry a session token made for this page: it proves tenant and user, lives 15 minutes, and each page has a fresh one. */
async function showPage({ authentication, locals, tenantStore }: HipchatPageContext, message = ''): Promise<string> {
  const patterns = Object.entries(await tenantStore.narrow('patterns').all())
  const form = (path: string, fields: string) =>
    `<form method="post" action="${locals.localBaseUrl}${path}?signed_request=${authentication.token}">${fields}</form>`
  const rows = patterns.map(
    ([name, pattern]) =>
      `<li><code>${escapeHtml(String(pattern))}</code> ${form('/patterns/remove', `<button name="name" value="${escapeHtml(name)}">Remove</button>`)}`,
  )
  return `<!doctype html><title>Hearsay</title><link rel="stylesheet" href="${escapeHtml(locals.tenantStylesheetUrl)}">
<p role="alert">${escapeHtml(message)}</p><ul>${rows.join('')}</ul>
${form('/patterns', '<input name="pattern" required maxlength="1000"><button>Listen</button>')}`
}

/** What people typed is text, never markup. */
const escapeHtml = (text: string) => text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)
