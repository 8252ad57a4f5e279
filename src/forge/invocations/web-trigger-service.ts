/** Addresses of web triggers as apps ask for them: three GraphQL operations (Forge protocol s. 4.3). */

import { jsonAnswer, jsonOf, recordOf } from '../answers.ts'
import type { Caller, GuestService } from '../services.ts'
import type { WebTriggerUrls } from './web-trigger-urls.ts'

type Operation = (
  variables: Readonly<Record<string, unknown>>,
  caller: Caller,
  urls: WebTriggerUrls,
) => Promise<unknown>

/** By the field that the document asks for. What the variables say of app, environment and place is not read. */
const OPERATIONS: readonly (readonly [field: string, run: Operation])[] = [
  [
    'createWebTriggerUrl',
    async ({ input, forceCreate }, { context, manifest }, urls) => {
      const { triggerKey, secretKeyConfig } = recordOf(input)
      // Nobody would check the secret: rather no address than one that is not what the app takes it for.
      if (secretKeyConfig != null) throw new GraphqlError(`${NOT_SIMULATED}: web triggers with a shared secret`)
      const module = manifest.webTriggers.find(({ key }) => key === triggerKey)
      if (module === undefined) throw new GraphqlError(`the manifest has no web trigger ${JSON.stringify(triggerKey)}`)
      const { url } = await urls.create(context, module.key, forceCreate === true)
      return { url, success: true, message: null }
    },
  ],
  [
    'deleteWebTriggerUrl',
    async ({ id }, { context }, urls) => {
      const isDeleted = typeof id === 'string' && (await urls.delete(context, id))
      return { success: isDeleted, message: isDeleted ? null : 'there is no such address' }
    },
  ],
  [
    'webTriggerUrlsByAppContext',
    async (_, { context }, urls) =>
      (await urls.list(context)).map(({ id, moduleKey, url }) => ({ id, triggerKey: moduleKey, url })),
  ],
]

const NOT_SIMULATED = 'ERR_FORGE_NOT_SIMULATED'

class GraphqlError extends Error {}

export function createWebTriggerService(urls: WebTriggerUrls, notSimulated: GuestService): GuestService {
  return {
    async handle(caller, request) {
      const { query, variables } = recordOf(jsonOf(request))
      const text = typeof query === 'string' ? query : ''
      const found = OPERATIONS.find(([field]) => new RegExp(`\\b${field}\\b`).test(text))
      if (found === undefined) return notSimulated.handle(caller, request)
      const [field, run] = found
      try {
        return jsonAnswer(200, { data: { [field]: await run(recordOf(variables), caller, urls) } })
      } catch (error) {
        if (!(error instanceof GraphqlError)) throw error
        return jsonAnswer(200, { data: null, errors: [{ message: error.message }] })
      }
    },
  }
}
