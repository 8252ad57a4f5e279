// What the types promise to users: checked by `npm run typecheck` against the sources, and by the package test against the package.
import {
  type App,
  createApp,
  currentContext,
  ERRORS,
  type ErrorCode,
  type GlanceContent,
  glanceContent,
  type HipchatApp,
  type IdentityUid,
  isPartywallError,
  PartywallError,
  type TenantStore,
  type TenantUid,
} from 'partywall'
import type { SqlTag } from 'partywall/postgres'

const loud = { label: 'A', status: { type: 'lozenge', value: { label: 'A', type: 'loud' } } } as const

/** Never called: only its types count. */
export async function promises(app: App, addon: HipchatApp, store: TenantStore, sql: SqlTag): Promise<void> {
  // A tenant is named by what the registry gave, never by text that came from somewhere.
  const { tenantUid, identity } = currentContext()
  const text: string = tenantUid
  // @ts-expect-error a plain string is no TenantUid
  const uid: TenantUid = text
  // @ts-expect-error an identity is no tenant
  const other: TenantUid = identity.uid
  // @ts-expect-error a tenant is no identity
  const third: IdentityUid = tenantUid
  await app.deadLetters.list(tenantUid)
  // @ts-expect-error the id a host gave is no TenantUid
  await app.deadLetters.list(identity.externalId)
  // @ts-expect-error a context is made by the app, not by hand
  await app.jobs.enqueue({ tenantUid }, { handler: 'remind', payload: null })

  // The store takes keys and JSON, and no tenant.
  await store.set('key', { list: [1, 'two', null] })
  await store.set('key', 1, { ttlSeconds: 60, ifVersion: 0 })
  // @ts-expect-error a Date is not JSON
  await store.set('key', { at: new Date() })
  // @ts-expect-error undefined cannot be stored
  await store.set('key', undefined)
  // @ts-expect-error there is no way to pass a tenant in
  await store.get(tenantUid, 'key')
  // @ts-expect-error what is read is JSON of any kind, until it has been looked at
  const count: number = await store.get('key')
  await store.update<number>('visits', (visits = 0) => visits + 1)
  // @ts-expect-error the new value is of the same type
  await store.update<number>('visits', () => 'many')
  // @ts-expect-error pages are read-only
  ;(await store.list()).items.key = 1

  // SQL is a template, so values cannot become text.
  await sql`select ${text}, ${[1, 2]}, ${new Date()}`
  // @ts-expect-error not a function of text
  await sql(`select '${text}'`)
  // @ts-expect-error a function is no value
  await sql`select ${() => text}`

  // Add-ons.
  addon.webhook('room_message', /^\/hello$/, async ctx => {
    await ctx.roomClient.sendNotification(`${ctx.match?.[0]} ${ctx.deliveryId}`)
    // @ts-expect-error a tenant cannot be changed
    ctx.tenant.id = 'other'
    // @ts-expect-error deliveries come from the host, not from a person's page
    ctx.authentication
  })
  addon.page('/calls', async ({ tenantClient }) => {
    const room = tenantClient.forRoom(5)
    await room.sendNotification('Hi', { color: 'green', attachTo: 'm-1' })
    await room.sendNotification('Hi', { message_format: 'text', attach_to: 'm-1' })
    // @ts-expect-error no such colour
    await room.sendNotification('Hi', { color: 'pink' })
    await tenantClient.createRoom({ name: 'Den', guestAccess: true })
    await tenantClient.createRoom({ name: 'Den', guest_access: true })
    // @ts-expect-error a room has a name
    await tenantClient.createRoom({ topic: 'tea' })
    // @ts-expect-error the room is bound already
    await room.addRoomMember(5, '@ada')
    for await (const { id, mention_name } of tenantClient.items(tenantClient.getUsers())) {
      const number: number = id
      // @ts-expect-error a host may leave out what is not certain
      const name: string = mention_name
      console.log(number, name)
    }
    // @ts-expect-error scopes are a closed list
    return tenantClient.getToken('rule_the_world')
  })
  addon.page('/open', ({ query }) => query.get('a'), { public: true })
  // @ts-expect-error a public page has no tenant
  addon.page('/open', ({ tenant }) => tenant.id, { public: true })
  // The builder takes a definition, or the old library's list of arguments; a handler instead of an address.
  addon
    .glance({ key: 'a', name: 'A', icon: '/i.png', weight: 1 }, async ({ tenantStore }) => ({
      label: String(await tenantStore.get('a')),
      status: { type: 'lozenge', value: { label: 'NEW', type: 'new' } },
    }))
    .glance('b', 'B', { url: '/i.png', 'url@2x': '/i@2x.png' }, { key: 'a', options: { tab: 1 } }, '/b')
    .webPanel('c', { value: 'C', i18n: 'c' }, 'hipchat.sidebar.right', ({ locals }) => locals.tenantScriptUrl)
    .dialog('d', 'D', '/d', { style: 'warning', size: { width: '1px', height: '1%' } })
    .action('e', 'E', 'hipchat.input.action', 'd')
    .configurable(({ authentication }) => authentication.userId, true)
    .webhook('room_message', 'name', /^a/, ctx => ctx.match?.[0], { reply: true })
    .webhook('room_message', /^a/, '/hook')
  // @ts-expect-error a glance says something
  addon.glance({ key: 'a', name: 'A', icon: '/i.png' }, () => undefined)
  // @ts-expect-error a lozenge has one of seven types
  addon.glance({ key: 'a', name: 'A', icon: '/i.png' }, () => loud)
  // @ts-expect-error the host knows one place for panels
  addon.webPanel('a', 'A', 'hipchat.sidebar.left', '/a')
  // @ts-expect-error a misspelled field
  addon.dialog({ key: 'a', title: 'A', url: '/a', option: {} })
  // @ts-expect-error an action opens its target and has no page
  addon.action({ key: 'a', name: 'A', location: 'hipchat.input.action', target: 'd' }, () => '')
  // @ts-expect-error content of a push is checked first
  const content: GlanceContent = { label: 'text' }
  console.log(glanceContent({ label: 'text' }).label.value, content)
  // @ts-expect-error unknown scopes are refused
  app.hipchat({ name: 'Greeter', scopes: ['rule_the_world'] })
  // @ts-expect-error http for a host is allowed by `developmentHosts` alone
  app.hipchat({ name: 'Greeter', scopes: ['send_notification'], insecureHosts: ['127.0.0.1:1'] })
  // @ts-expect-error baseUrl is not guessed from requests
  await createApp({ key: 'com.example.greeter' })

  // Errors narrow by code.
  const error: unknown = new PartywallError('ERR_KEY_INVALID')
  if (isPartywallError(error, 'ERR_KEY_INVALID')) {
    const code: 'ERR_KEY_INVALID' = error.code
    console.log(code, ERRORS[code].status)
  }
  // @ts-expect-error codes are a closed list
  const unknown: ErrorCode = 'ERR_SOMETHING'
  console.log(uid, other, third, count, unknown)
}
