// Mailroom: a mail service posts to an address of the installation's own, and the mail shows up in its room.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { type Answer, type App, type HipchatApp, type HipchatOptions, isPartywallError } from 'partywall'

type Mail = { readonly from: string; readonly subject: string }

const KEY_BYTES = 24 // 192 random bits: nobody guesses them
const MAX_BYTES = 64 * 1024
/** Never installed; uninstalled or switched off; ended this very moment. */
const ENDED = ['ERR_TENANT_UNKNOWN', 'ERR_TENANT_DISABLED', 'ERR_TENANT_REVOKED'] as const

export function addMailroom(app: App, options: Partial<HipchatOptions> = {}): HipchatApp {
  const addon = app.hipchat({ name: 'Mailroom', scopes: ['send_notification'], allowGlobal: false, ...options })
  const mailJob = `${addon.key}:mail`

  // Made anew when an installation comes back: the address dies with the installation, even where its data is kept.
  addon.onInstalled(async ({ tenantStore, installation }) => {
    const fresh = randomBytes(KEY_BYTES).toString('base64url')
    await tenantStore.update<string>('key', present => (installation.kind === 'install' ? fresh : (present ?? fresh)))
  })

  // Only people of this tenant see the address. The key stands in the query, which no request log of ours shows.
  addon.configurable(async ({ tenant, tenantStore, locals }) => {
    const key = await tenantStore.get('key')
    if (typeof key !== 'string') return '<p>The address is being made. Load the page again.</p>'
    return `<p>Have your mail posted to <code>${locals.localBaseUrl}/mail/${encodeURIComponent(tenant.id)}?key=${key}</code></p>`
  })

  // The mail service knows nothing of HipChat, so the route is open. The id in the address is a claim, as the issuer of a token is:
  // nothing happens before the key has proved it, and whatever is wrong, the answer is the same.
  addon.page(
    '/mail/:installation',
    async ({ view, params, query }) => {
      const installation = { dialect: 'hipchat', id: params.installation ?? '', addon: addon.key } as const
      try {
        return await app.runAs(installation, async context => {
          const { tenantStore } = addon.services(context)
          if (!isSame(await tenantStore.get('key'), query.getAll('key'))) return status(404)
          const mail = readMail(await view.body(MAX_BYTES))
          if (mail === undefined) return status(400)
          // 202 means durable: the host may be down, the mail is delivered when it is back.
          await app.jobs.enqueue(context, { handler: mailJob, payload: mail })
          return status(202)
        })
      } catch (error) {
        if (ENDED.some(code => isPartywallError(error, code))) return status(404)
        throw error
      }
    },
    { public: true, method: 'POST' },
  )

  app.job(mailJob, async ({ payload }, context) => {
    const { from, subject } = Object(payload)
    await addon.services(context).roomClient?.sendNotification(`Mail from ${from}: ${subject}`, { format: 'text' })
  })
  return addon
}

const status = (code: number): Answer => ({ status: code, headers: [], body: undefined })

/** In constant time, and for one key alone. */
function isSame(key: unknown, given: readonly string[]): boolean {
  const hash = (text: string) => createHash('sha256').update(text).digest()
  const [only = ''] = given
  return typeof key === 'string' && given.length === 1 && timingSafeEqual(hash(key), hash(only))
}

function readMail(body: Buffer): Mail | undefined {
  const { from, subject } = Object(parse(body.toString()))
  const isText = (value: unknown) => typeof value === 'string' && value !== '' && value.length <= 500
  return isText(from) && isText(subject) ? { from, subject } : undefined
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Whatever it is, it is no mail.
    return undefined
  }
}
