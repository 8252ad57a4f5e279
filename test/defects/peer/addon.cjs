// The add-on of these cases, written for ac-koa-hipchat as its documentation says. PORT, STORE and WITH come as variables.
// The same routes as partywall/addon.ts has.
const ack = require('ac-koa').require('hipchat')
const { Tenants } = require('ac-node')
const { createStore } = require('./stand-in-database.cjs')

const port = Number(process.env.PORT)
// Its allow-list knows names of hosts and no ports: this is as narrow as it can be.
const settings = { port, localBaseUrl: `http://127.0.0.1:${port}`, hosts: ['127.0.0.1'] }
const about = {
  name: 'com.example.cases',
  displayName: 'Cases',
  description: 'Cases',
  version: '1.0.0',
  author: { name: 'Example', url: 'https://example.com' },
}
const store = process.env.STORE === 'mongo' ? createStore() : 'MemoryStore'
const app = ack({ ...about, production: settings, development: settings }, { store })
const events = []
const scopes = ['send_notification', 'send_message', 'admin_room', 'manage_rooms', 'view_group', 'view_room']

const addon = app.addon().hipchat().allowRoom(true).allowGlobal(true).scopes(scopes)
addon.webhook('room_message', /^\/note /, function* () {
  events.push({ name: 'note', tenant: this.tenant.id, text: this.content })
  yield this.tenantStore.set('note', this.content)
})
addon.webhook('room_message', /^\/boom/, () => {
  throw new Error('the handler fails')
})
addon.webhook('room_message', /hello/, function () {
  events.push({ name: 'hello', tenant: this.tenant.id })
})
addon.webhook('room_message', /world/, function () {
  events.push({ name: 'world', tenant: this.tenant.id })
})
addon.webhook('room_message', /^\/ask/, () => ({ message: 'an answer' }))
addon.onWebhook('room_message', function () {
  if (/^\/shout/i.test(this.content)) events.push({ name: 'shout', tenant: this.tenant.id })
})
addon.onWebhook('uninstall', function* () {
  events.push({ name: 'uninstalled', tenant: this.tenant.id, text: yield this.tenantStore.get('note') })
})
if (process.env.WITH === 'events') {
  for (const event of ['created', 'archived', 'unarchived', 'deleted']) addon.webhook(`room_${event}`, () => undefined)
  addon.webhook('room_file_upload', () => undefined)
}
if (process.env.WITH === 'global') addon.webhook('room_message', /again/g, () => undefined)
addRoutes(addon)

const scoped = app.addon('two').hipchat().allowRoom(true).scopes(scopes)
scoped.webhook('room_message', /^\/two/, function () {
  events.push({ name: 'two', tenant: this.tenant.id })
})
addRoutes(scoped)

const built = app.addon('builder').hipchat().allowRoom(true).scopes('view_room')
built.scopes('send_notification')
built.glance('first', 'First', 'https://example.com/1.png', 'panel', '/glance/first')
built.glance('second', 'Second', 'https://example.com/2.png', 'panel', '/glance/second')
built.webPanel('panel', 'Panel', 'hipchat.sidebar.right', '/panel')
built.action('act', 'Act', 'hipchat.message.action', 'panel')
if (typeof built.adminPage === 'function') built.adminPage('/admin')

addon.get('/events', function* () {
  this.body = yield Promise.resolve(events)
})
addon.get('/disable', function* () {
  yield Tenants(app.store.narrow('tenant')).disabled({ id: this.query.id })
  this.body = {}
})
addon.get('/stored', function* () {
  this.body = yield app.store.all()
})

app.listen(() => process.send('listening'))

function addRoutes(one) {
  one.get('/whoami', one.authenticate(), function* () {
    const { userId, token } = this.authentication
    const body = { tenant: this.tenant.id, user: userId, token, hasRoomClient: this.roomClient !== undefined }
    this.body = yield Promise.resolve(body)
  })
  one.get('/call', one.authenticate(), function* () {
    this.body = yield outcome(call(this, JSON.parse(this.query.call)))
  })
  one.get('/task', one.authenticate(), function* () {
    this.body = yield outcome(tasks[this.query.name](this))
  })
}

async function call(ctx, { on, narrow = [], method, args }) {
  let service = on === 'roomClient' ? (ctx.roomClient ?? ctx.tenantClient.forRoom()) : ctx[on]
  for (const scope of narrow) service = service.narrow(scope)
  if (method === 'typeof') return typeof service[args[0]]
  return service[method](...args)
}

const tasks = {
  async count({ tenantStore }) {
    const visit = async () => tenantStore.set('visits', ((await tenantStore.get('visits')) ?? 0) + 1)
    await Promise.all(Array.from({ length: 10 }, visit))
    return tenantStore.get('visits')
  },
  async keep({ tenantStore }) {
    const value = { n: 1 }
    await tenantStore.set('kept', value)
    value.n = 2
    return tenantStore.get('kept')
  },
  shout: async ({ tenantWebhooks }) => tenantWebhooks.add('room_message', /^\/shout/im),
}

const outcome = work =>
  work.then(
    value => ({ value }),
    error => ({ error: String(error.message) }),
  )
