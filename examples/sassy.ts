// Sassy: a dozen slash commands out of one table and one pattern, answered with a card; each room may switch them off.
import type { App, HipchatApp, HipchatCard, HipchatOptions, HipchatWebhookContext } from 'partywall'

interface Reply {
  readonly description: string
  /** `{}` stands for what was typed behind the command. */
  readonly text: string
}

const REPLIES: Readonly<Record<string, Reply>> = {
  agree: { description: 'Agrees', text: 'Could not have put it better: {}' },
  applaud: { description: 'Claps', text: 'A round of applause for {}' },
  bored: { description: 'Yawns', text: 'Wake me when {} is over' },
  coffee: { description: 'Asks for coffee', text: 'Coffee first, then {}' },
  doubt: { description: 'Has doubts', text: '{}? We shall see' },
  lunch: { description: 'Calls for lunch', text: 'Lunch! {}' },
  nope: { description: 'Says no', text: 'No to {}' },
  oops: { description: 'Admits it', text: 'That was not meant to happen: {}' },
  shipit: { description: 'Ships it', text: 'Ship {}, fix it on Monday' },
  shrug: { description: 'Does not know', text: 'Who knows about {}' },
  thanks: { description: 'Thanks', text: 'Thank you, {}' },
}

/** One webhook instead of twelve: the host matches once, and the table says what to do. */
const COMMAND = new RegExp(`^/(sassy|${Object.keys(REPLIES).join('|')})(?:\\s+(.*))?$`)

export function addSassy(app: App, options: Partial<HipchatOptions> = {}): HipchatApp {
  // For one room or a whole group (both are allowed unless you say otherwise).
  const addon = app.hipchat({ name: 'Sassy', scopes: ['send_notification'], ...options })

  for (const [name, { description }] of Object.entries(REPLIES)) addon.command({ name: `/${name}`, description })
  addon.command({ name: '/sassy', description: 'Switches Sassy in this room', usage: 'enable | disable' })

  addon.webhook('room_message', COMMAND, async ctx => {
    const [, name = '', rest = ''] = ctx.match ?? []
    if (name === 'sassy') return switchRoom(ctx, rest.trim())
    const reply = REPLIES[name]
    if (reply === undefined || (await isDisabled(ctx))) return
    const text = reply.text.replace('{}', () => rest.trim() || 'this')
    await ctx.roomClient.sendNotification(text, { format: 'text', card: cardOf(ctx, text) })
  })
  return addon
}

// The old add-on kept the switch outside of tenants, by a hash of group and room, so that two installations in one room shared it.
// Here it belongs to the installation: a room one and a group one are switched each by itself, and neither can read the other.
const disabledRooms = ({ tenantStore }: HipchatWebhookContext) => tenantStore.narrow('disabled')
const keyOf = ({ room, tenant }: HipchatWebhookContext) => String(room?.id ?? tenant.room)

const isDisabled = async (ctx: HipchatWebhookContext) => (await disabledRooms(ctx).get(keyOf(ctx))) === true

async function switchRoom(ctx: HipchatWebhookContext, word: string): Promise<void> {
  if (word === 'disable') await disabledRooms(ctx).set(keyOf(ctx), true)
  else if (word === 'enable') await disabledRooms(ctx).del(keyOf(ctx))
  const state = (await isDisabled(ctx)) ? 'disabled' : 'enabled'
  const hint = word === 'enable' || word === 'disable' ? '' : '; try /sassy enable or /sassy disable'
  await ctx.roomClient.sendNotification(`Sassy is ${state} in this room${hint}`, { format: 'text' })
}

/** Shown instead of the text where a client can. A delivery that runs again brings the same card, by its id. */
const cardOf = ({ deliveryId, sender }: HipchatWebhookContext, text: string): HipchatCard => ({
  style: 'application',
  id: deliveryId,
  format: 'medium',
  title: text.slice(0, 200),
  description: `asked by ${sender?.name ?? 'somebody'}`,
})
