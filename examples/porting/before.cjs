// Decisions as it was: an add-on of ac-koa-hipchat. `after.ts` is the same add-on on Partywall.
const ack = require('ac-koa').require('hipchat')
const manifest = require('./manifest.json')

const app = ack(manifest, { store: process.env.NODE_ENV === 'production' ? 'RedisStore' : 'MemoryStore' })

const addon = app.addon().hipchat().allowRoom(true).allowGlobal(false).scopes('send_notification')

addon.webhook('room_message', /^\/decide\s+(.+)$/, function* () {
  const decisions = (yield this.tenantStore.get('decisions')) || []
  decisions.push({ text: this.match[1], by: this.sender.name })
  yield this.tenantStore.set('decisions', decisions)
  yield this.roomClient.sendNotification(`Decision ${decisions.length}: ${this.match[1]}`, { format: 'text' })
})

addon.onWebhook('install', function* () {
  yield this.roomClient.sendNotification('Decide with /decide', { color: 'green' })
})

addon.get('/decisions', addon.authenticate(), function* () {
  const decisions = (yield this.tenantStore.get('decisions')) || []
  this.body = { room: this.tenant.room, user: this.authentication.userId, decisions }
})

app.listen()
