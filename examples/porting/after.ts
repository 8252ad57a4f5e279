// Decisions on Partywall: `before.cjs`, ported. The same package.json block, routes, keys and messages.
import { readFileSync } from 'node:fs'
import { createApp, listen } from 'partywall'
import { hipchatEnvironment, hipchatPackage } from 'partywall/hipchat'

type Decision = { readonly text: string; readonly by: string }

const manifest: unknown = JSON.parse(readFileSync(new URL('manifest.json', import.meta.url), 'utf8'))
const old = hipchatEnvironment(manifest)
const app = await createApp({
  key: 'com.example.decisions',
  ...old.app,
  developmentHosts: process.env.DEVELOPMENT_HOSTS?.split(',') ?? [],
})

const addon = app.hipchat({
  ...hipchatPackage(manifest),
  ...old.addon,
  allowGlobal: false,
  scopes: ['send_notification'],
})

addon.webhook('room_message', /^\/decide\s+(.+)$/, async ctx => {
  const decision: Decision = { text: ctx.match?.[1] ?? '', by: ctx.sender?.name ?? 'somebody' }
  const decisions = await ctx.tenantStore.update<Decision[]>('decisions', (before = []) => [...before, decision])
  await ctx.roomClient.sendNotification(`Decision ${decisions?.length}: ${decision.text}`, { format: 'text' })
})

addon.onInstalled(async ctx => {
  await ctx.roomClient?.sendNotification('Decide with /decide', { color: 'green' })
})

addon.page('/decisions', async ctx => {
  const decisions = (await ctx.tenantStore.get('decisions')) ?? []
  return { room: ctx.tenant.room, user: ctx.authentication.userId, decisions }
})

const server = await listen(app, old.listen)
process.once('SIGTERM', async () => {
  await Promise.all([server.close(), app.close()])
  process.exit(0)
})
