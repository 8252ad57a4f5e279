// The library of before under measurement: the same pages, its memory store. NODE_ENV says whether it logs requests.
const ack = require('ac-koa').require('hipchat')

const port = Number(process.env.PORT)
const settings = { port, localBaseUrl: `http://127.0.0.1:${port}` }
const about = {
  name: 'com.example.bench',
  displayName: 'Bench',
  description: 'Bench',
  version: '1.0.0',
  author: { name: 'Example', url: 'https://example.com' },
}
const app = ack({ ...about, production: settings, test: settings }, { store: 'MemoryStore' })
const addon = app.addon().hipchat().allowRoom(true).scopes('send_notification')

addon.onWebhook('install', function* () {
  yield this.tenantStore.set('greeting', 'hello')
})
// biome-ignore lint/correctness/useYield: it knows no other handlers
addon.get('/page', addon.authenticate(), function* () {
  this.body = { tenant: this.tenant.id, user: this.authentication.userId }
})
addon.get('/stored', addon.authenticate(), function* () {
  this.body = { tenant: this.tenant.id, value: yield this.tenantStore.get('greeting') }
})

app.listen(() => process.send('listening'))
