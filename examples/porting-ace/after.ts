// Flags on Partywall: `before.cjs`, ported. The same descriptor, configuration, addresses, keys and answers.
import { readFileSync } from 'node:fs'
import { createApp, type JsonObject, listen, PartywallError } from 'partywall'
import { connectConfiguration } from 'partywall/connect'

type Flag = { readonly color: string; readonly by: string | null }

const COLORS = ['red', 'green']
const read = (name: string): JsonObject => JSON.parse(readFileSync(new URL(name, import.meta.url), 'utf8'))
const old = connectConfiguration(read('config.json'))
const app = await createApp({
  key: 'com.example.flags',
  ...old.app,
  developmentHosts: process.env.DEVELOPMENT_HOSTS?.split(',') ?? [],
})

const addon = app.connect({ descriptor: read('atlassian-connect.json'), ...old.addon })

addon.page('/panel', async ctx => {
  const flag = (await ctx.tenantStore.get(`flag-${ctx.query.get('issue')}`)) as Flag | undefined
  return `<script src="${ctx.locals.hostScriptUrl}"></script><p>${flag ? flag.color : 'no flag'}</p>`
})

addon.api(
  '/api/flag',
  async ctx => {
    const { key } = (ctx.context.jira as { readonly issue: { readonly key: string } }).issue
    const { color } = JSON.parse((await ctx.view.body(4_096)).toString()) as { readonly color: string }
    if (!COLORS.includes(color)) throw new PartywallError('ERR_BODY_INVALID', { message: 'no such color' })
    const flag: Flag = { color, by: ctx.authentication.userId ?? null }
    await ctx.tenantStore.set(`flag-${key}`, flag)
    await ctx.tenantClient.post(`/rest/api/2/issue/${key}/comment`, { body: { body: `Flagged ${color}` } })
    return { key, color }
  },
  { method: 'POST' },
)

addon.api('/api/created', async ctx => ({ created: (await ctx.tenantStore.get('created')) ?? 0 }))

addon.onWebhook('jira:issue_created', async ctx => {
  await ctx.tenantStore.update<number>('created', (created = 0) => created + 1)
})

await listen(app, old.listen)
