/** What ac-koa-hipchat took from package.json for the descriptor (protocol B1), as options of an add-on. */

import * as z from 'zod'
import { wrongOldValue } from './old-configuration.ts'

const commandShape = z.object({
  name: z.string().regex(/^\/[a-z_-]+$/),
  description: z.string().min(1),
  usage: z.string().optional(),
  aliases: z.array(z.string().regex(/^\/[a-z_-]+$/)).optional(),
})
/** A slash command that clients complete. */
export type HipchatCommand = z.output<typeof commandShape>

const text = z.string().trim().min(1)
const manifestShape = z.object({
  name: text,
  displayName: text.optional(),
  description: text.optional(),
  version: text.optional(),
  author: z.union([z.string(), z.object({ name: text, url: text.optional() })]).optional(),
  command: z.union([commandShape.transform(one => [one]), z.array(commandShape)]).optional(),
})

export interface HipchatPackage {
  readonly key: string
  readonly name: string
  readonly description?: string
  readonly version?: string
  readonly vendor?: { readonly name: string; readonly url?: string }
  /** The slash commands of `command`; a descriptor of your own takes the place of this one. */
  readonly descriptor?: { readonly capabilities: { readonly command: readonly HipchatCommand[] } }
}

/**
 * Options for `app.hipchat` out of package.json; what you give besides wins.
 *
 * @param manifest  package.json, parsed: `name` is the key, `displayName` (else `name`) the name, `author` the vendor
 * @throws PartywallError ERR_CONFIG, naming the field
 * @example app.hipchat({ ...hipchatPackage(manifest), scopes: ['send_notification'] })
 */
export function hipchatPackage(manifest: unknown): HipchatPackage {
  const read = manifestShape.safeParse(manifest)
  if (!read.success) {
    throw wrongOldValue(read.error.issues[0]?.path.join('.') || 'package.json', 'what npm knows under this name')
  }
  const { name, displayName, description, version, author, command } = read.data
  const vendor = vendorOf(author)
  return {
    key: name,
    name: displayName ?? name,
    ...(description === undefined ? {} : { description }),
    ...(version === undefined ? {} : { version }),
    ...(vendor === undefined ? {} : { vendor }),
    ...(command === undefined ? {} : { descriptor: { capabilities: { command } } }),
  }
}

/** `Name <mail> (url)`, or the same as an object. */
function vendorOf(author: z.output<typeof manifestShape>['author']): HipchatPackage['vendor'] {
  const [, name = '', url] =
    typeof author === 'string'
      ? (/^([^<(]*)(?:<[^>]*>)?\s*(?:\(([^)]*)\))?/.exec(author) ?? [])
      : [undefined, author?.name, author?.url]
  const vendor = { name: name.trim(), url: url?.trim() ?? '' }
  if (vendor.name === '') return undefined
  return vendor.url === '' ? { name: vendor.name } : vendor
}
