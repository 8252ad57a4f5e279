// `npm start`: database, simulated HipChat, the greeter in three tenants, a short scenario; then it keeps serving until Ctrl-C.
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { startHipchatHost } from 'partywall/host'
import { type Greeter, startGreeter } from './greeter.ts'
import { playScenario, type Report } from './scenario.ts'

const startedAt = performance.now()
const say = (line: string) =>
  console.log(`${((performance.now() - startedAt) / 1000).toFixed(1).padStart(6)} s  ${line}`)

// A folder of its own, gone at the end: this is a demonstration. An app keeps its data in `.partywall`, or in a database of yours.
const folder = await mkdtemp(path.join(tmpdir(), 'partywall-start-'))
const closers: (() => Promise<void>)[] = [() => rm(folder, { recursive: true, force: true })]
let closing: Promise<void> | undefined
const closeAll = () => {
  closing ??= (async () => {
    for (const close of closers.reverse()) await close()
  })()
  return closing
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (closing === undefined) console.log('\nstopping ...')
    void closeAll().then(() => process.exit(0))
  })
}

try {
  say('starting a simulated HipChat host')
  const host = await startHipchatHost()
  closers.push(() => host.close())
  say('starting PostgreSQL from the npm-shipped binaries, and the greeter on it')
  const greeter = await start(host.url)
  closers.push(() => greeter.close())
  say('ready; playing the scenario')
  const report = await playScenario(host, greeter, say)
  print(report)
  const page = host.installations[0]?.pageUrl('/panel')
  console.log(`
still serving, Ctrl-C stops everything
  add-on      ${greeter.app.baseUrl}
  descriptor  ${greeter.descriptorUrl}
  host        ${host.capabilitiesUrl}
  a page      ${page}
`)
} catch (error) {
  if (closing === undefined) console.error(error)
  await closeAll()
  process.exitCode = 1
}

async function start(hostUrl: string): Promise<Greeter> {
  const port = Number(process.env.PORT ?? 3000)
  const hostAndPort = new URL(hostUrl).host
  const key = { id: 'demonstration', key: randomBytes(32) }
  return startGreeter({
    port,
    baseUrl: `http://127.0.0.1:${port}`,
    hosts: [hostAndPort],
    developmentHosts: [hostAndPort],
    database: { folder, environment: {} },
    keys: { current: key, find: id => (id === key.id ? key.key : undefined) },
    logLevel: 'warn',
    requestLog: false,
  })
}

function print(report: Report): void {
  console.log('\nwhat each tenant sees')
  for (const { name, sees, lastMessage } of report.tenants)
    console.log(`  ${name.padEnd(16)} ${sees}\n  ${''.padEnd(16)} last: ${lastMessage}`)
  console.log('\nwhat was refused')
  for (const { attempt, answer } of report.refusals) console.log(`  ${answer.padEnd(32)} ${attempt}`)
}
