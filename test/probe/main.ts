// The probe: a small app that outside checks attack. One process, itself the server, so that a signal hits it.
//
// Environment: PORT, BASE_URL, APP_KEY, HIPCHAT_HOSTS (comma list of exact host:port), CONNECT_KEY_SERVER (its keys stand at
// `<url>/<kid>`), RETENTION_DAYS, DATA_DIR, optional
// DATABASE_URL (with DATABASE_SYSTEM_URL and DATABASE_JOBS_URL, or alone as an administrator's URL: then a database of its
// own is prepared on that server, the same for the same DATA_DIR). Its routes are the contract that outside checks rely on.
import { createApp, type HipchatApp, listen } from 'partywall'
import { prepareOwnDatabase } from './own-database.ts'
import { addConnectRoutes, addHipchatRoutes, withHealth } from './routes.ts'

const environment = process.env
const port = Number(environment.PORT ?? 8080)
const hosts = (environment.HIPCHAT_HOSTS ?? '')
  .split(',')
  .map(host => host.trim())
  .filter(host => host !== '')
const keyServer = environment.CONNECT_KEY_SERVER || undefined
const urls = await prepareOwnDatabase(environment)

const app = await createApp({
  key: environment.APP_KEY ?? 'com.example.app',
  baseUrl: environment.BASE_URL ?? `http://127.0.0.1:${port}`,
  developmentHosts: [...hosts, ...(keyServer?.startsWith('http:') ? [new URL(keyServer).host] : [])],
  database: { folder: environment.DATA_DIR ?? '.partywall/probe', ...(urls === undefined ? {} : { urls }) },
})
const addon: HipchatApp = app.hipchat({
  name: 'Probe',
  scopes: ['send_notification', 'view_room', 'view_group'],
  hosts: hosts.length > 0 ? hosts : ['api.hipchat.com'],
  path: '/hipchat',
  routes: { descriptor: '/descriptor', installable: '/installable', webhook: '/webhook' },
})
addHipchatRoutes(app, addon)

const connect = app.connect({
  name: 'Probe',
  ...(keyServer === undefined ? {} : { keyServers: [keyServer] }),
  routes: {
    descriptor: '/connect/descriptor',
    installed: '/connect/installed',
    uninstalled: '/connect/uninstalled',
    enabled: '/connect/enabled',
    disabled: '/connect/disabled',
  },
})
addConnectRoutes(app, connect)

const server = await listen(withHealth(app), { port, host: '127.0.0.1', closeGraceMs: 4000 })
console.log(JSON.stringify({ event: 'probe-listening', url: server.url, pid: process.pid }))

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, async () => {
    await Promise.all([server.close(), app.close()])
    process.exit(0)
  })
}
