/** Modules that one tenant has beside those of the descriptor (protocol s. 8); checked like the descriptor's before they leave. */

import * as z from 'zod'
import type { JsonObject, JsonValue } from '../../core/tenant.ts'
import { checkAnswer, invalidField } from '../common/check.ts'
import type { Exchange } from './host-api.ts'
import { checkKeys, checkModule } from './modules.ts'

/** Errors as of `Exchange`. */
export interface DynamicModules {
  /** As `modules` of a descriptor. */
  get(): Promise<JsonObject>
  /**
   * Adds modules, all or none. At most 100 per tenant.
   * @param modules  as `modules` of a descriptor; each needs a key
   * @throws PartywallError ERR_DESCRIPTOR_INVALID; ERR_HOST_RESPONSE the product refused one of them
   */
  add(modules: JsonObject): Promise<void>
  /** @param keys  at least one; use `clear` for all */
  remove(...keys: readonly string[]): Promise<void>
  clear(): Promise<void>
}

const PATH = '/rest/atlassian-connect/1/app/module/dynamic'
const MAX_MODULES = 100
const modulesShape = z.record(z.string(), z.json())

export const createDynamicModules = (exchange: Exchange): DynamicModules => ({
  async get() {
    return checkAnswer(modulesShape, (await exchange('GET', PATH, { expect: [200] })).body)
  },
  async add(modules) {
    checkModules(modules)
    await exchange('POST', PATH, { body: modules })
  },
  async remove(...keys) {
    // Without a key the product takes all of them away.
    const areKeys = keys.length > 0 && keys.every(key => typeof key === 'string' && key !== '')
    if (!areKeys) throw invalidField('keys', 'at least one, none of them empty', 'the dynamic modules')
    await exchange('DELETE', PATH, { query: { moduleKey: keys } })
  },
  async clear() {
    await exchange('DELETE', PATH)
  },
})

function checkModules(modules: JsonObject): void {
  const all = Object.entries(modules).flatMap(([kind, value]) =>
    listOf(value).map((module, index) => checkModule(`${kind}[${index}]`, module)),
  )
  const isCountable = all.length > 0 && all.length <= MAX_MODULES
  if (!isCountable) throw invalidField('modules', `1 to ${MAX_MODULES} modules`, 'the dynamic modules')
  if (all.some(module => typeof module.key !== 'string')) throw invalidField('key', 'a text', 'a dynamic module')
  checkKeys(modules)
}

const listOf = (value: JsonValue): readonly JsonValue[] => (Array.isArray(value) ? value : [value])
