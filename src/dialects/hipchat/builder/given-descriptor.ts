/**
 * A descriptor that an author gives instead of builder calls, full or partial: what of it is an option of the add-on, and what goes
 * on to the declarations. Options and builder calls win over it; addresses that must be our own routes are ours, whatever it says.
 */

import * as z from 'zod'
import type { Logger } from '../../../core/ports.ts'
import { parseAt } from '../../common/parse.ts'
import { HIPCHAT_SCOPES, type HipchatAddonOptions } from '../options.ts'
import { isCapabilityKind } from './declarations.ts'

type Fields = Readonly<Record<string, unknown>>

export interface GivenDescriptor {
  /** What of it the options of an add-on say too; addresses are checked with them. */
  readonly options: Partial<HipchatAddonOptions>
  /** To be declared: capabilities by name, and webhooks, under the plural that some hosts read too. */
  readonly capabilities: Fields
  readonly webhooks: readonly unknown[]
  /** What means nothing to us and is published as it came. */
  readonly kept: { readonly top: Fields; readonly links: Fields; readonly capabilities: Fields }
}

const text = z.string().optional()
const flag = z.boolean().optional()
/** Ours always, whatever it says. */
const address = z.unknown().optional()

const shape = z.looseObject({
  key: text,
  name: text,
  description: text,
  version: text,
  apiVersion: text,
  vendor: z.strictObject({ name: text, url: text }).optional(),
  links: z.looseObject({ self: address, homepage: text }).default({}),
  capabilities: z
    .looseObject({
      hipchatApiConsumer: z
        .strictObject({
          scopes: z.array(z.enum(HIPCHAT_SCOPES)).optional(),
          fromName: text,
          avatar: z.union([z.string(), z.strictObject({ url: z.string(), 'url@2x': text })]).optional(),
        })
        .default({}),
      installable: z
        .strictObject({
          allowGlobal: flag,
          allowRoom: flag,
          callbackUrl: address,
          updateCallbackUrl: address,
          installedUrl: address,
          updatedUrl: address,
          uninstalledUrl: address,
        })
        .default({}),
    })
    .prefault({}),
})

/**
 * @param descriptor  as an author wrote it; `undefined` where none is given
 * @param logger  hears of every part that is published without a check
 * @throws PartywallError ERR_DESCRIPTOR_INVALID naming the field
 */
export function readGivenDescriptor(descriptor: unknown, logger: Logger): GivenDescriptor {
  const { links, capabilities, key, name, description, version, vendor, ...top } = parseAt('', shape, descriptor ?? {})
  const { self: _, homepage, ...otherLinks } = links
  const { hipchatApiConsumer, installable, webhook, webhooks, ...others } = capabilities
  const { allowGlobal, allowRoom, installedUrl } = installable
  const kept = { top, links: otherLinks, capabilities: where(others, name => !isCapabilityKind(name)) }
  warnOf(kept, logger)
  return {
    options: whereSaid({
      key,
      name,
      description,
      version,
      vendor,
      homepage,
      allowGlobal,
      allowRoom,
      // Whoever names such a page wants the flow through the browser; the pages are ours.
      clientSideInstall: installedUrl === undefined ? undefined : true,
      ...hipchatApiConsumer,
    }),
    capabilities: where(others, isCapabilityKind),
    webhooks: [webhook ?? [], webhooks ?? []].flat(),
    kept,
  }
}

function warnOf({ top, links, capabilities }: GivenDescriptor['kept'], logger: Logger): void {
  const paths = [
    ...Object.keys(top).filter(name => name !== 'apiVersion'),
    ...Object.keys(links).map(name => `links.${name}`),
    ...Object.keys(capabilities).map(name => `capabilities.${name}`),
  ]
  for (const path of paths) logger.warn('hipchat-descriptor-part-unknown', { path })
}

const where = (fields: Fields, isWanted: (name: string) => boolean): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([name]) => isWanted(name)))

/** Without the fields that nobody said, so that they take no other's place. */
export function whereSaid<T extends object>(fields: T): Partial<T> {
  const said: Partial<T> = { ...fields }
  for (const name in said) if (said[name] === undefined) delete said[name]
  return said
}
