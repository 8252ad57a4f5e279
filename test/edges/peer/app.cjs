// The app of these cases on atlassian-connect-express, in production, as its documentation has it. PORT and CONNECT_KEYS_CDN_URL
// come as variables; it says `listening` over its channel.
const { createRequire } = require('node:module')
const { join } = require('node:path')

process.chdir(__dirname)
// Its own Express: ours stands nearer to this file, and is too new for it.
const load = createRequire(join(process.env.NODE_PATH, 'load.cjs'))
const express = load('express')
const bodyParser = load('body-parser')

const app = express()
const quiet = { info: () => undefined, warn: () => undefined, error: (...parts) => console.error(...parts) }
const addon = load('atlassian-connect-express')(app, {}, quiet, {})
app.use(bodyParser.json())
app.use(bodyParser.urlencoded({ extended: false }))
app.use(addon.middleware())

// It brings no handler for uninstalls of its own.
app.post('/uninstalled', addon.authenticateInstall(), (_, response) => response.status(204).end())
const whoami = (request, response) =>
  response.json({
    tenant: request.context.clientKey,
    user: request.context.userAccountId,
    token: response.locals.token,
  })
app.get('/page', addon.authenticate(), whoami)
app.get('/api', addon.checkValidToken(), whoami)

app.listen(Number(process.env.PORT), '127.0.0.1', () => process.send('listening'))
