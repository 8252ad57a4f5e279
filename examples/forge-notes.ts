// The notes app for Forge, unmodified, in three installations: for `npm start`. Each has processes of its own, and its own storage.
import { type App, type AppOptions, createApp, type ForgeInstallation, listen } from 'partywall'
import type { ConnectHost, Site } from 'partywall/host'
import { withPackages } from './forge-packages.ts'
import type { Refusal, Say } from './scenario.ts'

export interface ForgeReport {
  readonly tenants: readonly { readonly name: string; readonly sees: string }[]
  readonly refusals: readonly Refusal[]
  readonly webTriggerUrl: string
}
export interface ForgeNotes {
  readonly app: App
  readonly report: ForgeReport
  close(): Promise<void>
}
export interface ForgeNotesOptions extends Pick<AppOptions, 'database' | 'keys' | 'logLevel'> {
  readonly products: ConnectHost
  readonly port: number
}

interface Customer {
  readonly name: string
  readonly site: Site
  readonly notes: ForgeInstallation
  /** Who looks at the panel of the issue. */
  readonly person: { readonly accountId: string; readonly extension: { readonly issue: { readonly key: string } } }
}

export async function startForgeNotes({ products, port, ...common }: ForgeNotesOptions, say: Say): Promise<ForgeNotes> {
  const folder = await withPackages('notes')
  const app = await createApp({
    ...common,
    key: 'com.example.forge-notes',
    baseUrl: `http://127.0.0.1:${port}`,
    developmentHosts: [new URL(products.url).host],
    requestLog: false,
  })
  try {
    const notes = await app.forge({
      folder,
      product: { credentials: products.forgeCredentials },
      onLog: () => undefined,
    })
    const server = await listen(app, { port })
    const isolation = notes.boundary === 'bubblewrap' ? 'each installation in its own jailed process' : 'NOT ISOLATED'
    say(`Forge: ${notes.name} ${notes.deployment.version} is bundled and deployed, ${isolation}`)
    const customers = await Promise.all(
      ['initech', 'hooli', 'umbrella'].map(name =>
        createCustomer(products, name, site => notes.install({ url: site.url, cloudId: site.cloudId })),
      ),
    )
    // What happens at a site, the app hears of there and nowhere else.
    products.on('forge', ({ product, event, causedBy }) => {
      const customer = customers.find(({ site }) => site === product.site)
      customer?.notes
        .deliver(event, { isSelfGenerated: causedBy === notes.id })
        .catch(error => say(`not delivered: ${error}`))
    })
    const report = await play(customers, products, say)
    await notes.idle()
    return { app, report, close: () => Promise.all([server.close(), app.close()]).then(() => undefined) }
  } catch (error) {
    await app.close()
    throw error
  }
}

async function createCustomer(
  products: ConnectHost,
  name: string,
  install: (site: Site) => Promise<ForgeInstallation>,
): Promise<Customer> {
  const site = products.createSite({ name })
  const user = site.createUser({ displayName: `Somebody of ${name}` })
  const issue = site.createIssue(site.createProject({ key: 'WORK' }), { summary: `The matter of ${name}` })
  const person = { accountId: user.accountId, extension: { issue: { key: issue.key } } }
  return { name, site, person, notes: await install(site) }
}

async function play(customers: readonly Customer[], products: ConnectHost, say: Say): Promise<ForgeReport> {
  const [first, second] = customers
  if (first === undefined || second === undefined) throw new TypeError('three customers are needed')
  for (const { name, notes, person } of customers) {
    await notes.invoke('add', { text: `only ${name} knows` }, person)
    await products.fire(products.sites.find(site => site.name === name)?.jira as Site['jira'], 'jira:issue_created', {
      payload: { issue: { key: 'WORK-2' } },
    })
    await notes.idle()
  }
  const webTriggerUrl = await first.notes.webTriggerUrl('inbox')
  const body = JSON.stringify({ issue: 'WORK-1', text: 'from outside, by web trigger' })
  const { status } = await fetch(webTriggerUrl, { method: 'POST', body })
  if (status !== 201) throw new Error(`the web trigger answered ${status}`)
  await first.notes.runSchedule('nightly')
  say('Forge: notes from a panel, an issue’s event, a web trigger; a digest by queue; a schedule')
  const refusals = await attack(first, second, webTriggerUrl)
  for (const { attempt, answer } of refusals) say(`refused: ${attempt} -> ${answer}`)
  return { webTriggerUrl, refusals, tenants: await Promise.all(customers.map(see)) }
}

async function see({ name, notes, person }: Customer) {
  const all = (await notes.invoke('all')) as readonly { readonly text: string }[]
  const { summary } = (await notes.invoke('summary', undefined, person)) as { readonly summary?: string }
  return { name: `${name} Forge`, sees: `${summary}: ${all.map(({ text }) => text).join(', ')}` }
}

async function attack(first: Customer, second: Customer, webTriggerUrl: string): Promise<readonly Refusal[]> {
  const id = new URL(webTriggerUrl).pathname.slice('/x1/'.length)
  const installation = Buffer.from(second.notes.id.replaceAll('-', ''), 'hex')
  const forged = Buffer.concat([installation, Buffer.from(id, 'base64url').subarray(16)]).toString('base64url')
  const trigger = await fetch(webTriggerUrl.replace(id, forged), { method: 'POST', body: '{}' })
  const summary = await second.notes
    .invoke('summary', undefined, { ...second.person, accountId: first.person.accountId })
    .then(
      () => 'answered',
      (error: Error) => /NEEDS_AUTHENTICATION_ERR/.exec(error.message)?.[0] ?? error.message,
    )
  return [
    { attempt: 'hooli’s web trigger, with the secret of initech’s', answer: String(trigger.status) },
    { attempt: 'hooli’s issue, as a person of initech', answer: summary },
  ]
}
