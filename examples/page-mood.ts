// A Confluence macro that shows how a page's readers feel about it, and what its author asked for. On Express.
import express, { type Express, type Request } from 'express'
import type { App, ConnectApp, ConnectOptions, ConnectPageContext, ConnectRequestServices } from 'partywall'
import { authenticate, mount } from 'partywall/express'
import { html } from './html.ts'

const MOODS = ['happy', 'puzzled', 'bored'] as const
type Mood = (typeof MOODS)[number]

export function addPageMood(app: App, options: Partial<ConnectOptions> = {}): ConnectApp {
  const addon = app.connect({ name: 'Page Mood', scopes: ['READ', 'WRITE'], ...options })
  // In a frame: parameters of the macro are part of the address that the product signed.
  addon
    .dynamicMacro(
      {
        key: 'mood',
        name: 'Mood',
        url: '/mood?ask={question}&body={macro.body}',
        description: { value: 'How do you like this page?' },
        bodyType: 'plain-text',
        outputType: 'block',
        parameters: [{ identifier: 'question', name: { value: 'Question' }, type: 'string' }],
      },
      async ctx => html`<!doctype html>
<title>Mood</title>
<script src="${ctx.locals.hostScriptUrl}"></script>
<h1>${ctx.query.get('ask') || 'How do you like this page?'}</h1>
<p>${ctx.query.get('body') ?? ''}</p>
<p>${await tally(ctx)}</p>`,
    )
    // Fetched by the product's server, and its answer becomes part of the page: storage format, no script.
    .staticMacro(
      {
        key: 'mood-line',
        name: 'Mood line',
        url: '/mood-line',
        description: { value: 'In a sentence' },
        outputType: 'inline',
      },
      async ctx => html`<p>${await tally(ctx)}</p>`,
    )
  return addon
}

/** The app behind Express, with the route that readers vote by: `POST /vote/happy`, with a context token. */
export function onExpress(app: App, addon: ConnectApp): Express {
  const server = express()
  server.use(mount(app))
  server.post('/vote/:mood', authenticate(addon, { token: 'context' }), async (request: Request, response) => {
    const { tenantStore, tenantClient, context, params } = request as Request & ConnectRequestServices
    const mood = MOODS.find(one => one === params.mood)
    const content = contentOf({ context })
    if (mood === undefined || content === undefined) {
      response.status(400).json({ error: 'no such mood, or not opened on a page' })
      return
    }
    const counters = tenantStore.narrow('votes').narrow(content)
    // For the product's own searches and conditions: a property of the page. Before the vote counts, so that neither is there alone;
    // and a mark, not the count: of two counts written at the same time the older one could stay.
    if ((await counters.get(mood)) === undefined)
      await tenantClient.contentProperties(content).set(`mood-${mood}`, true)
    const votes = await counters.update<number>(mood, (count = 0) => count + 1)
    response.json({ mood, votes })
  })
  return server
}

async function tally({ tenantStore, context }: Pick<ConnectPageContext, 'tenantStore' | 'context'>): Promise<string> {
  const content = contentOf({ context })
  if (content === undefined) return 'Shown outside of a page'
  const votes = (await tenantStore.narrow('votes').narrow(content).all()) as Partial<Record<Mood, number>>
  return MOODS.map(mood => `${mood} ${votes[mood] ?? 0}`).join(' · ')
}

/** Id of the page that the product signed; no parameter counts. */
function contentOf({ context }: Pick<ConnectPageContext, 'context'>): string | undefined {
  const { content } = (context.confluence ?? {}) as { readonly content?: { readonly id?: string | number } }
  return content?.id === undefined ? undefined : String(content.id)
}
