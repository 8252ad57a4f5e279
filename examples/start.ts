// `npm start`: database, simulated HipChat, Jira, Confluence and Bitbucket, the examples for HipChat, Connect and Forge in several tenants
// of each, a short scenario; then it keeps serving until Ctrl-C.
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { AppOptions } from 'partywall'
import { startConnectHost, startHipchatHost } from 'partywall/host'
import { startConnectExamples } from './connect-examples.ts'
import { type ConnectReport, playConnectScenario } from './connect-scenario.ts'
import { type ForgeReport, startForgeNotes } from './forge-notes.ts'
import { type Greeter, startGreeter } from './greeter.ts'
import { playScenario, type Refusal, type Report } from './scenario.ts'

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

const key = { id: 'demonstration', key: randomBytes(32) }
const common = {
  database: { folder, environment: {} },
  keys: { current: key, find: id => (id === key.id ? key.key : undefined) },
  logLevel: 'warn',
} satisfies Partial<AppOptions>
const port = Number(process.env.PORT ?? 3000)

try {
  say('starting a simulated HipChat, Jira, Confluence and Bitbucket')
  const host = await startHipchatHost()
  closers.push(() => host.close())
  const products = await startConnectHost()
  closers.push(() => products.close())

  say('starting PostgreSQL from the npm-shipped binaries, and the greeter on it')
  const greeter = await start(host.url)
  closers.push(() => greeter.close())
  say('ready; playing the HipChat scenario')
  const report = await playScenario(host, greeter, say)

  say('starting the Connect examples: on Koa, Express, Fastify, and one for HipChat and Jira at once')
  const ports = [port + 1, port + 2, port + 3, port + 4] as const
  const examples = await startConnectExamples({ ...common, products, hipchat: host, ports })
  closers.push(() => examples.close())
  const connectReport = await playConnectScenario(products, host, examples, say)

  say('starting the Forge example in three installations')
  const notes = await startForgeNotes({ ...common, products, port: port + 5 }, say)
  closers.push(() => notes.close())

  print(report, connectReport, notes.report)
  console.log(`
still serving, Ctrl-C stops everything
  add-on      ${greeter.app.baseUrl}
  descriptor  ${greeter.descriptorUrl}, ${examples.notes.descriptorUrl}
  host        ${host.capabilitiesUrl}, ${products.url}
pages to open in a browser
  greeter
    ${host.installations[0]?.pageUrl('/panel')}
${connectReport.pages.map(({ name, url }) => `  ${name}\n    ${url}`).join('\n')}
web trigger of initech’s notes: POST {"issue": "WORK-1", "text": "..."}
    ${notes.report.webTriggerUrl}
`)
} catch (error) {
  if (closing === undefined) console.error(error)
  await closeAll()
  process.exitCode = 1
}

async function start(hostUrl: string): Promise<Greeter> {
  const hostAndPort = new URL(hostUrl).host
  return startGreeter({
    ...common,
    port,
    baseUrl: `http://127.0.0.1:${port}`,
    hosts: [hostAndPort],
    developmentHosts: [hostAndPort],
    requestLog: false,
  })
}

function print(report: Report, connect: ConnectReport, forge: ForgeReport): void {
  console.log('\nwhat each tenant sees')
  for (const { name, sees, lastMessage } of report.tenants)
    console.log(`  ${name.padEnd(20)} ${sees}\n  ${''.padEnd(20)} last: ${lastMessage}`)
  for (const { name, sees } of [...connect.tenants, ...forge.tenants])
    console.log(`  ${name.padEnd(20)} ${sees || '(nothing)'}`)
  console.log('\nwhat was refused')
  const refusals: readonly Refusal[] = [...report.refusals, ...connect.refusals, ...forge.refusals]
  for (const { attempt, answer } of refusals) console.log(`  ${answer.padEnd(32)} ${attempt}`)
}
