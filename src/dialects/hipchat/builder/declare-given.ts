/** Declares what a given descriptor holds, by the same checks as the builder's calls. */

import type { Logger } from '../../../core/ports.ts'
import { parseAt } from '../../common/parse.ts'
import type { WebhookDefinitions } from '../webhook-definitions.ts'
import { type Declarations, isCapabilityKind } from './declarations.ts'
import type { GivenDescriptor } from './given-descriptor.ts'
import type { Shapes } from './shapes.ts'

interface Targets {
  readonly shapes: Shapes
  readonly declarations: Declarations
  readonly definitions: WebhookDefinitions
  readonly logger: Logger
}

/** @throws PartywallError ERR_DESCRIPTOR_INVALID, ERR_PATTERN_UNSUPPORTED · TypeError two webhooks of one name */
export function declareGiven({ capabilities, webhooks }: GivenDescriptor, targets: Targets): void {
  for (const [kind, said] of Object.entries(capabilities)) {
    if (!isCapabilityKind(kind)) continue
    for (const definition of Array.isArray(said) ? said : [said]) {
      targets.declarations.declare(kind, definition, 'descriptor')
    }
  }
  for (const [index, webhook] of webhooks.entries()) {
    const { authentication, ...spec } = parseAt(`webhook[${index}]`, targets.shapes.webhook, webhook)
    if (authentication === 'none') {
      targets.logger.warn('hipchat-descriptor-part-replaced', { path: `webhook[${index}].authentication`, by: 'jwt' })
    }
    targets.definitions.add(spec)
  }
}
