// Flags as it was: an app of atlassian-connect-express. `after.ts` is the same app on Partywall.
const express = require('express')
const bodyParser = require('body-parser')

const COLORS = ['red', 'green']
const app = express()
const addon = require('atlassian-connect-express')(app)
app.use(bodyParser.json())
app.use(addon.middleware())

app.get('/panel', addon.authenticate(), async (req, res) => {
  const flag = await addon.settings.get(`flag-${req.query.issue}`, req.context.clientKey)
  res.send(`<script src="${res.locals.hostScriptUrl}"></script><p>${flag ? flag.color : 'no flag'}</p>`)
})

app.post('/api/flag', addon.checkValidToken(), async (req, res) => {
  const { key } = req.context.context.jira.issue
  if (!COLORS.includes(req.body.color)) return res.status(400).json({ message: 'no such color' })
  await addon.settings.set(
    `flag-${key}`,
    { color: req.body.color, by: req.context.userAccountId },
    req.context.clientKey,
  )
  const url = `/rest/api/2/issue/${key}/comment`
  addon.httpClient(req).post({ url, json: { body: `Flagged ${req.body.color}` } }, (error, response) => {
    if (error || response.statusCode !== 201) res.status(502).json({ message: 'no comment' })
    else res.json({ key, color: req.body.color })
  })
})

app.get('/api/created', addon.checkValidToken(), async (req, res) => {
  res.json({ created: (await addon.settings.get('created', req.context.clientKey)) || 0 })
})

addon.on('jira:issue_created', async (_event, _body, req) => {
  const created = (await addon.settings.get('created', req.context.clientKey)) || 0
  await addon.settings.set('created', created + 1, req.context.clientKey)
})

app.listen(addon.config.port(), () => addon.register())
