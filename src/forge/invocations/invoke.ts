/** What pages of an app call: a function of its resolver, for the person who looks (Forge protocol s. 5.1). */

import type { TenantContext } from '../../core/context.ts'
import { PartywallError } from '../../core/errors.ts'
import type { JsonObject, JsonValue } from '../../core/tenant.ts'
import { recordOf } from '../answers.ts'
import type { Manifest, UiModule } from '../manifest/types.ts'
import { installationOf } from '../platform/installation.ts'
import type { Runner } from '../platform/runner.ts'
import { timeoutOf } from './timeouts.ts'

export interface InvokeOptions {
  /** Who looks; left out: nobody who is signed in. */
  readonly accountId?: string
  /** Key of the module whose page it is; default the first that has a resolver. */
  readonly module?: string
  /** What the host page says of the place: `{ issue: { key } }` ... Its `type` is the module's. */
  readonly extension?: JsonObject
  /** Further facts of the host page: `locale`, `timezone`, `localId` ... */
  readonly context?: JsonObject
}

const MAX_PAYLOAD_BYTES = 500 * 1024

/** @throws ERR_FORGE_MODULE_UNKNOWN · what `Runner.run` throws */
export async function invokeResolver(
  context: TenantContext,
  functionKey: string,
  payload: JsonValue | undefined,
  { accountId, module: moduleKey, extension = {}, context: further = {} }: InvokeOptions,
  environment: { readonly id: string; readonly type: string },
  runner: Runner,
): Promise<JsonValue | undefined> {
  if (Buffer.byteLength(JSON.stringify(payload ?? null)) > MAX_PAYLOAD_BYTES)
    throw new PartywallError('ERR_VALUE_TOO_LARGE', { message: 'a page sends at most 500 KB' })
  const { manifest, text } = await runner.versionOf(context)
  const module = findModule(manifest, moduleKey)
  const { target } = module
  const { site } = installationOf(context.identity)
  return runner.run(context, {
    moduleType: `xen:${module.type}`,
    moduleKey: module.key,
    functionKey: target,
    payload: {
      call: { functionKey, ...(payload === undefined ? {} : { payload }) },
      context: {
        localId: `${site.contextAri}/${module.key}`,
        ...further,
        cloudId: site.cloudId,
        siteUrl: site.url,
        environmentId: environment.id,
        environmentType: environment.type,
        appVersion: text,
        moduleKey: module.key,
        extension: { type: module.type, ...extension },
        ...(accountId === undefined ? {} : { accountId, accountType: 'licensed' }),
      },
    },
    ...(accountId === undefined ? {} : { accountId }),
    timeoutMs: timeoutOf(manifest, target, 'resolver'),
  })
}

function findModule(manifest: Manifest, key: string | undefined): UiModule & { readonly target: string } {
  const modules = manifest.uiModules.flatMap(module => {
    const { functionKey } = recordOf(module.resolver)
    return typeof functionKey === 'string' ? [{ ...module, target: functionKey }] : []
  })
  const found = key === undefined ? modules[0] : modules.find(module => module.key === key)
  if (found !== undefined) return found
  const bare = manifest.uiModules.find(module => (key === undefined || module.key === key) && isBare(module))
  if (bare !== undefined)
    throw new PartywallError('ERR_FORGE_NOT_SIMULATED', {
      message: `module ${bare.key}: a ${bare.type} without resource and resolver is not simulated, only its function by itself`,
    })
  const other = manifest.notSimulated.find(module => key !== undefined && module.key === key)
  if (other !== undefined)
    throw new PartywallError('ERR_FORGE_NOT_SIMULATED', { message: `module ${key}: ${other.type} is not simulated` })
  throw new PartywallError('ERR_FORGE_MODULE_UNKNOWN', {
    message:
      key === undefined
        ? 'the manifest has no module with a resolver'
        : `the manifest has no module ${JSON.stringify(key)} with a resolver`,
  })
}

/** A page of the first UI Kit, which its function draws, or what the product asks a function about: a workflow's validator ... */
const isBare = ({ given }: UiModule): boolean =>
  typeof given.function === 'string' && given.resource === undefined && given.resolver === undefined
