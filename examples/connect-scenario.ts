// What `npm start` plays with the Connect examples: two customers, each with a Jira, a Confluence and a Bitbucket, and attempts to get
// from one to the other.
import { randomBytes } from 'node:crypto'
import type { ConnectHost, ConnectInstallation, HipchatHost, Installation, Site } from 'partywall/host'
import type { ConnectExamples } from './connect-examples.ts'
import type { Refusal, Say } from './scenario.ts'

export interface ConnectReport {
  readonly tenants: readonly { readonly name: string; readonly sees: string }[]
  readonly refusals: readonly Refusal[]
  /** Pages to open in a browser, in the simulated product's frame. */
  readonly pages: readonly { readonly name: string; readonly url: string }[]
}

interface Customer {
  readonly name: string
  readonly site: Site
  readonly notes: ConnectInstallation
  readonly mood: ConnectInstallation
  readonly pushes: ConnectInstallation
  readonly standup: ConnectInstallation
}
type Api = (method: string, url: string, token: string, body?: string) => Promise<Response>

export async function playConnectScenario(
  host: ConnectHost,
  hipchat: HipchatHost,
  examples: ConnectExamples,
  say: Say,
): Promise<ConnectReport> {
  const acme = await createCustomer(host, examples, 'acme', say)
  const globex = await createCustomer(host, examples, 'globex', say)
  const acmeIssue = await writeNotes(acme, examples, 'Ada', ['look at the brakes', 'call the customer'])
  const globexIssue = await writeNotes(globex, examples, 'Grace', ['paint it red'])
  await vote(acme, examples, ['happy', 'happy', 'puzzled'])
  await vote(globex, examples, ['bored'])
  await push(host, acme, 2)
  await push(host, globex, 1)
  // Deliveries are answered when they are durable, and worked off after that.
  await until(async () => (await readPushes(acme)).endsWith(': 2') && (await readPushes(globex)).endsWith(': 1'))
  say('notes on issues, votes on a page, pushes to a repository: written in both')
  const room = await standUp(hipchat, acme, examples)
  say('one stand-up app in HipChat and Jira: the same function wrote a line for each')
  const refusals = await attack(acme, globex, examples)
  for (const { attempt, answer } of refusals) say(`refused: ${attempt} -> ${answer}`)
  return {
    refusals,
    tenants: [
      { name: 'acme Jira', sees: await readNotes(acme, examples, acmeIssue) },
      { name: 'globex Jira', sees: await readNotes(globex, examples, globexIssue) },
      { name: 'acme Confluence', sees: await readMood(acme) },
      { name: 'globex Confluence', sees: await readMood(globex) },
      { name: 'acme Bitbucket', sees: await readPushes(acme) },
      { name: 'globex Bitbucket', sees: await readPushes(globex) },
      { name: 'acme stand-up', sees: textOf((await acme.standup.openPage('today')).body) },
      { name: 'globex stand-up', sees: textOf((await globex.standup.openPage('today')).body) },
      { name: 'the room’s stand-up', sees: await readRoom(room) },
    ],
    pages: [
      { name: 'notes in acme’s Jira', url: acme.notes.frameUrl('notes', acmeIssue) },
      { name: 'mood in acme’s Confluence', url: acme.mood.frameUrl('mood', pageOf(acme), { question: 'Like it?' }) },
    ],
  }
}

async function createCustomer(host: ConnectHost, examples: ConnectExamples, name: string, say: Say): Promise<Customer> {
  const site = host.createSite({ name })
  const { jira, confluence, bitbucket } = site
  site.createIssue(site.createProject({ key: 'CAR' }), { summary: 'It does not stop' })
  site.createContent(site.createSpace({ key: 'DOC' }), { title: 'Handbook' })
  const install = async (descriptorUrl: string, product: typeof jira) => {
    const installation = await host.install(descriptorUrl, product)
    if (installation.state !== 'enabled') throw new Error(`${name} refused: ${installation.result?.status}`)
    return installation
  }
  const customer = {
    name,
    site,
    notes: await install(examples.notes.descriptorUrl, jira),
    standup: await install(examples.standup.descriptorUrl, jira),
    mood: await install(examples.mood.descriptorUrl, confluence),
    pushes: await install(examples.pushes.descriptorUrl, bitbucket),
  }
  say(`installed in ${name}’s Jira, Confluence and Bitbucket`)
  return customer
}

/** As the page's script does. */
const api: Api = (method, url, token, body) =>
  fetch(url, { method, headers: { authorization: `JWT ${token}` }, ...(body === undefined ? {} : { body }) })

async function expectOk(response: Response): Promise<Response> {
  if (!response.ok) throw new Error(`${response.url}: ${await describe(response)}`)
  return response
}

async function writeNotes(
  customer: Customer,
  { notes }: ConnectExamples,
  displayName: string,
  texts: readonly string[],
) {
  const user = customer.site.createUser({ displayName, permissions: ['EDIT_ISSUES'] })
  const [issue] = customer.site.issues.values()
  const place = { user, ...(issue && { issue }) }
  for (const text of texts)
    await expectOk(await api('POST', `${notes.app.baseUrl}/api/notes`, customer.notes.contextToken(place), text))
  return place
}

async function readNotes({ notes }: Customer, examples: ConnectExamples, place: object): Promise<string> {
  const response = await api('GET', `${examples.notes.app.baseUrl}/api/notes`, notes.contextToken(place))
  const found = (await (await expectOk(response)).json()) as Readonly<Record<string, { readonly text: string }>>
  return Object.values(found)
    .map(({ text }) => text)
    .join(', ')
}

function pageOf({ site }: Customer) {
  const [content] = site.contents.values()
  return { ...(content && { content }) }
}

async function vote(customer: Customer, { mood }: ConnectExamples, moods: readonly string[]): Promise<void> {
  const user = customer.site.createUser({ displayName: 'Edsger' })
  for (const one of moods) {
    const token = customer.mood.contextToken({ ...pageOf(customer), user })
    await expectOk(await api('POST', `${mood.app.baseUrl}/vote/${one}`, token))
  }
}

const readMood = async (customer: Customer): Promise<string> =>
  textOf((await customer.mood.openPage('mood', pageOf(customer), { question: 'Like it?' })).body)

const readPushes = async ({ pushes }: Customer): Promise<string> => textOf((await pushes.openPage('pushes')).body)

async function push(host: ConnectHost, { site, name }: Customer, times: number): Promise<void> {
  for (let n = 0; n < times; n++) {
    const changes = [{ new: { target: { hash: randomBytes(20).toString('hex') } } }]
    await host.fire(site.bitbucket, 'repo:push', {
      payload: { data: { repository: { full_name: `${name}/car` }, push: { changes } } },
    })
  }
}

async function standUp(
  hipchat: HipchatHost,
  { standup, site }: Customer,
  examples: ConnectExamples,
): Promise<Installation> {
  const user = site.createUser({ displayName: 'Ada' })
  const token = standup.contextToken({ user })
  await expectOk(await api('POST', `${examples.standup.app.baseUrl}/jira/api/today`, token, 'tested the brakes'))
  const group = hipchat.createGroup({ name: 'Acme' })
  const room = group.createRoom({ name: 'Garage' })
  const installation = await hipchat.install(examples.standup.hipchatDescriptorUrl, { group, room })
  if (installation.state !== 'installed') throw new Error(`the room refused: ${installation.result?.status}`)
  await room.say(group.owner, '/standup tuned the engine')
  await until(async () => (await readRoom(installation)).includes('tuned'))
  return installation
}

async function readRoom(installation: Installation): Promise<string> {
  const response = await expectOk(await fetch(installation.pageUrl('/hipchat/today')))
  return ((await response.json()) as { readonly lines: readonly string[] }).lines.join(', ')
}

async function until(isDone: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000
  while (!(await isDone())) {
    if (Date.now() > deadline) throw new Error('a delivery was not worked off')
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

async function attack(acme: Customer, globex: Customer, examples: ConnectExamples): Promise<readonly Refusal[]> {
  const { baseUrl } = examples.notes.app
  const install = acme.notes.results.find(({ event }) => event === 'installed')
  if (install === undefined) throw new Error('acme was never installed')
  const lifecycle = async (work: Promise<{ readonly status: number | undefined }>) => `${(await work).status}`
  const attempts: readonly (readonly [string, () => Promise<string>])[] = [
    [
      'globex’s notes, with a token that names globex and acme’s secret',
      async () =>
        describe(
          await api('GET', `${baseUrl}/api/notes`, acme.notes.contextToken({}, { iss: globex.notes.clientKey })),
        ),
    ],
    [
      'a page with a context token, which fits any address',
      async () => describe(await api('GET', `${baseUrl}/notes`, acme.notes.contextToken())),
    ],
    [
      'the API with the token of a page',
      async () =>
        describe(
          await api('GET', `${baseUrl}/api/notes`, new URL(acme.notes.pageUrl('notes')).searchParams.get('jwt') ?? ''),
        ),
    ],
    ['a note by somebody who may only look', async () => describe(await noteBy(acme, examples))],
    ['an install without a signature', () => lifecycle(acme.notes.send('installed', { token: 'none' }))],
    [
      'acme’s install once more, with a stranger’s secret',
      () => lifecycle(acme.notes.replay(install, { sharedSecret: 'made-up-by-a-stranger-of-no-importance' })),
    ],
  ]
  const refusals: Refusal[] = []
  for (const [attempt, run] of attempts) {
    const answer = await run()
    if (!/^4/.test(answer)) throw new Error(`not refused: ${attempt} (${answer})`)
    refusals.push({ attempt, answer })
  }
  return refusals
}

function noteBy({ notes, site }: Customer, examples: ConnectExamples): Promise<Response> {
  const [issue] = site.issues.values()
  const token = notes.contextToken({ user: site.createUser({ displayName: 'Mallory' }), ...(issue && { issue }) })
  return api('POST', `${examples.notes.app.baseUrl}/api/notes`, token, 'was here')
}

async function describe(response: Response): Promise<string> {
  const code = /"code":"([A-Z_]+)"/.exec(await response.text())?.[1]
  return code === undefined ? String(response.status) : `${response.status} ${code}`
}

/** What a reader sees of a page. */
const textOf = (page: string): string =>
  page
    .replace(/<title>.*?<\/title>|<[^>]+>/gs, ' ')
    .replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)))
    .replace(/\s+/g, ' ')
    .trim()
