/** Where the add-on wants its deliveries, as its descriptor says. */

import type { Tenant } from '../target.ts'

/** Path and query of the static webhook whose pattern holds this word. */
export function webhookPath({ installation }: Tenant, word: string): string {
  const webhook = installation.webhooks.find(({ pattern }) => pattern?.includes(word))
  if (webhook === undefined) throw new Error(`the descriptor has no webhook for ${word}`)
  const { pathname, search } = new URL(webhook.url)
  return pathname + search
}
