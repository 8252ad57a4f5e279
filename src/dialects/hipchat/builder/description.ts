/**
 * Everything an add-on says about itself, from its options, a given descriptor and its builder: the settings, what is declared, and
 * the descriptor made of both.
 */

import type { DialectDeps } from '../../../core/dialect.ts'
import type { JsonObject } from '../../../core/tenant.ts'
import { buildDescriptor, urlOf } from '../descriptor.ts'
import { type AddonSettings, type HipchatAddonOptions, readOptions } from '../options.ts'
import { createWebhookDefinitions, type WebhookDefinitions } from '../webhook-definitions.ts'
import { createAddresses } from './addresses.ts'
import { createDeclarations, type Declarations } from './declarations.ts'
import { declareGiven } from './declare-given.ts'
import { readGivenDescriptor, whereSaid } from './given-descriptor.ts'
import { createShapes } from './shapes.ts'

export interface Description {
  readonly settings: AddonSettings
  readonly declarations: Declarations
  readonly definitions: WebhookDefinitions
  /** Deeply frozen JSON; made again after a change. */
  descriptor(): JsonObject
  /** What was declared has changed. */
  changed(): void
}

/** @throws PartywallError ERR_DESCRIPTOR_INVALID, ERR_CONFIG, ERR_PATTERN_UNSUPPORTED */
export function createDescription(
  options: HipchatAddonOptions,
  { app, logger }: Pick<DialectDeps, 'app' | 'logger'>,
): Description {
  const given = readGivenDescriptor(options.descriptor, logger)
  const settings = readOptions({ ...given.options, ...whereSaid(options) }, app)
  const addresses = createAddresses(settings.baseUrl)
  const shapes = createShapes(addresses)
  const declarations = createDeclarations(shapes)
  const definitions = createWebhookDefinitions({ own: addresses.own, route: urlOf(settings, settings.routes.webhook) })
  declareGiven(given, { shapes, declarations, definitions, logger })
  let made: JsonObject | undefined
  return {
    settings,
    declarations,
    definitions,
    descriptor() {
      made ??= buildDescriptor({
        settings,
        webhooks: definitions.all(),
        declared: declarations.all(),
        kept: given.kept,
      })
      return made
    },
    changed() {
      made = undefined
    },
  }
}
