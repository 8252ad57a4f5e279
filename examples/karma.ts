// Karma for a whole group: `coffee++`, `@ada--`, `/karma coffee`, `/karma :top things`. However many vote at once, every vote counts, once.
import type { App, HipchatApp, HipchatOptions, JsonValue, TenantStore } from 'partywall'

type Vote = { readonly name: string; readonly points: 1 | -1 }
// `recent` holds the deliveries that were counted: a handler may run again, and a vote must not.
type Counter = { readonly points: number; readonly recent: readonly string[] }

const RECENT = 200
const TOP = 10
const MAX_NAME = 100

export function addKarma(app: App, options: Partial<HipchatOptions> = {}): HipchatApp {
  // One installation for the whole group. The old add-on shared its counters between installations, by a key made of the group; here
  // no installation sees what another one stores, so the group installs it once.
  const addon = app.hipchat({ name: 'Karma', scopes: ['send_notification'], allowRoom: false, ...options })

  addon.webhook('room_message', /\S(?:\+\+|--)(?:\s|$)/, async ctx => {
    const lines: string[] = []
    for (const { name, points } of votesIn(ctx.content ?? '')) {
      // The old add-on read, added and wrote: of two votes at the same time one was lost. `update` loses none.
      const counter = await countersOf(ctx.tenantStore, name).update<Counter>(name, present =>
        count(present, points, ctx.deliveryId),
      )
      lines.push(`${name}: ${pointsIn(counter)}`)
    }
    if (lines.length > 0) await ctx.roomClient.sendNotification(lines.join('\n'), { format: 'text' })
  })

  addon.command({ name: '/karma', description: 'Shows points', usage: 'NAME | :top things | :top users' })
  addon.webhook('room_message', /^\/karma(?:\s+(\S+)(?:\s+(\S+))?)?\s*$/, async ctx => {
    const [, name = ':top', kind] = ctx.match ?? []
    const text = name === ':top' ? await topOf(ctx.tenantStore, kind) : await pointsOf(ctx.tenantStore, name)
    await ctx.roomClient.sendNotification(text, { format: 'text' })
  })
  return addon
}

/** Words that end in `++` or `--`; each name once per message. */
function votesIn(text: string): readonly Vote[] {
  const votes = new Map<string, Vote>()
  for (const word of text.split(/\s/)) {
    const name = word.slice(0, -2).toLowerCase()
    const isVote = word.endsWith('++') || word.endsWith('--')
    if (!isVote || name === '' || name === '@' || name.length > MAX_NAME) continue
    votes.set(name, { name, points: word.endsWith('+') ? 1 : -1 })
  }
  return [...votes.values()]
}

function count(present: Counter | undefined, points: number, deliveryId: string): Counter {
  const { points: before, recent } = present ?? { points: 0, recent: [] }
  if (recent.includes(deliveryId)) return { points: before, recent }
  return { points: before + points, recent: [...recent, deliveryId].slice(-RECENT) }
}

const countersOf = (store: TenantStore, name: string) => store.narrow(name.startsWith('@') ? 'users' : 'things')

async function pointsOf(store: TenantStore, name: string): Promise<string> {
  const key = name.toLowerCase().slice(0, MAX_NAME)
  return `${key}: ${pointsIn(await countersOf(store, key).get(key))}`
}

async function topOf(store: TenantStore, kind = 'things'): Promise<string> {
  if (kind !== 'things' && kind !== 'users') return 'Try /karma :top things or /karma :top users'
  const counters = Object.entries(await store.narrow(kind).all())
  const best = counters.sort(([, one], [, other]) => pointsIn(other) - pointsIn(one)).slice(0, TOP)
  if (best.length === 0) return `No ${kind} have points yet`
  return best.map(([name, counter], index) => `${index + 1}. ${name}: ${pointsIn(counter)}`).join('\n')
}

const pointsIn = (counter: JsonValue | undefined): number => Number(Object(counter).points ?? 0)
