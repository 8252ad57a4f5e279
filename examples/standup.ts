// Stand-up notes in HipChat rooms and in Jira at once: two dialects, one app, one `ctx.tenant`, one store, the same function for both.
import type { App, ConnectApp, ConnectOptions, HipchatApp, HipchatOptions, JsonValue, TenantStore } from 'partywall'
import { html } from './html.ts'

/** What this app needs of a context: every dialect has it, under these names. */
interface Standup {
  readonly tenant: { readonly id: string }
  readonly tenantStore: TenantStore
}

const MAX_LINES = 50

/** Adds a line. It does not know which product it runs for, nor for which tenant. */
export async function addLine({ tenantStore }: Standup, who: string, text: string): Promise<void> {
  await tenantStore.update<string[]>('today', (lines = []) => [...lines, `${who}: ${text}`].slice(-MAX_LINES))
}

export async function showLines({ tenant, tenantStore }: Standup): Promise<{ tenant: string; lines: JsonValue }> {
  return { tenant: tenant.id, lines: (await tenantStore.get('today')) ?? [] }
}

export function addStandup(
  app: App,
  options: { readonly hipchat?: Partial<HipchatOptions>; readonly connect?: Partial<ConnectOptions> } = {},
): { readonly hipchat: HipchatApp; readonly connect: ConnectApp } {
  const hipchat = app.hipchat({ name: 'Stand-up', path: '/hipchat', scopes: ['send_notification'], ...options.hipchat })
  hipchat
    .webhook('room_message', /^\/standup (.+)$/, async ctx => {
      await addLine(ctx, ctx.sender?.name ?? 'somebody', ctx.match?.[1] ?? '')
      await ctx.roomClient.sendNotification('Noted', { format: 'text' })
    })
    .page('/today', showLines)

  const connect = app.connect({ name: 'Stand-up', path: '/jira', ...options.connect })
  connect
    .generalPage({ key: 'today', name: 'Stand-up' }, async ctx => {
      const { lines } = await showLines(ctx)
      return html`<!doctype html><title>Stand-up</title><pre>${(lines as string[]).join('\n')}</pre>`
    })
    .api('/api/today', showLines)
    .api(
      '/api/today',
      async ctx => {
        await addLine(ctx, ctx.authentication.userId ?? 'somebody', (await ctx.view.body(4_096)).toString())
        return showLines(ctx)
      },
      { method: 'POST' },
    )
    .webhook('comment_created', async ctx => {
      const { comment } = ctx.body as { readonly comment?: { readonly body?: unknown } }
      if (typeof comment?.body === 'string') await addLine(ctx, ctx.userId ?? 'somebody', comment.body)
    })
  return { hipchat, connect }
}
