// The Connect examples as servers, each on the framework it shows, all on one database: for `npm start` and the tests.
import { type App, type AppOptions, type ConnectApp, createApp, type Listening, listen } from 'partywall'
import { addIssueNotes, onKoa } from './issue-notes.ts'
import { addPageMood, onExpress } from './page-mood.ts'
import { addPushCount, onFastify } from './push-count.ts'
import { addStandup } from './standup.ts'

export interface ConnectExample {
  readonly app: App
  readonly descriptorUrl: string
  close(): Promise<void>
}
export interface ConnectExamples {
  readonly notes: ConnectExample
  readonly mood: ConnectExample
  readonly pushes: ConnectExample
  /** Its HipChat half has a descriptor of its own. */
  readonly standup: ConnectExample & { readonly hipchatDescriptorUrl: string }
  close(): Promise<void>
}

export interface ConnectExamplesOptions extends Pick<AppOptions, 'database' | 'keys' | 'logLevel'> {
  /** Of the simulated products. */
  readonly products: { readonly url: string; readonly keyServerUrl: string }
  /** Of the simulated HipChat. */
  readonly hipchat: { readonly url: string }
  /** Four free ports. */
  readonly ports: readonly [number, number, number, number]
}

type Target = Parameters<typeof listen>[0]

export async function startConnectExamples(options: ConnectExamplesOptions): Promise<ConnectExamples> {
  const { products, hipchat, ports, ...common } = options
  const productHost = new URL(products.url).host
  const hipchatHost = new URL(hipchat.url).host
  // In production none of this is said: the sites of Atlassian's cloud and its key servers are the default.
  const site = {
    hosts: [productHost],
    keyServers: [products.keyServerUrl],
    authorizationServer: products.url,
    hostScriptUrl: `${products.url}/all.js`,
  }
  const opened: ConnectExample[] = []

  const start = async <T>(
    name: string,
    port: number,
    build: (app: App) => { target: Target | Promise<Target>; built: T },
  ) => {
    const app = await createApp({
      key: `com.example.${name}`,
      baseUrl: `http://127.0.0.1:${port}`,
      developmentHosts: [productHost, hipchatHost],
      requestLog: false,
      ...common,
    })
    const { target, built } = build(app)
    const server: Listening = await listen(await target, { port })
    const close = async () => void (await Promise.all([server.close(), app.close()]))
    opened.push({ app, descriptorUrl: '', close })
    return { app, built, close }
  }
  const withDescriptor = <T extends { readonly app: App }>(started: T, path = '') => ({
    ...started,
    descriptorUrl: `${started.app.baseUrl}${path}/atlassian-connect.json`,
  })
  const on =
    <A extends ConnectApp>(
      add: (app: App, options: typeof site) => A,
      mount: (app: App, addon: A) => Target | Promise<Target>,
    ) =>
    (app: App) => {
      const addon = add(app, site)
      return { built: addon, target: mount(app, addon) }
    }

  const fastify = async (app: App, addon: ConnectApp): Promise<Target> => {
    const server = onFastify(app, addon)
    await server.ready()
    return server.routing as Target
  }
  try {
    const notes = await start(
      'issue-notes',
      ports[0],
      on(addIssueNotes, (app, addon) => onKoa(app, addon).callback()),
    )
    const mood = await start('page-mood', ports[1], on(addPageMood, onExpress))
    const pushes = await start('push-count', ports[2], on(addPushCount, fastify))
    const standup = await start('standup', ports[3], app => ({
      built: addStandup(app, { connect: site, hipchat: { hosts: [hipchatHost] } }),
      target: app,
    }))
    return {
      notes: withDescriptor(notes),
      mood: withDescriptor(mood),
      pushes: withDescriptor(pushes),
      standup: {
        ...withDescriptor(standup, '/jira'),
        hipchatDescriptorUrl: `${standup.app.baseUrl}/hipchat/addon/capabilities`,
      },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }

  async function close(): Promise<void> {
    await Promise.all(opened.map(example => example.close()))
  }
}
