/** What the product says about the app at one tenant: state, version, licence. */

import * as z from 'zod'
import { segment } from '../common/address.ts'
import { checkAnswer } from '../common/check.ts'
import type { Exchange } from './host-api.ts'

export interface AddonState {
  readonly key: string
  readonly version: string | undefined
  /** `ENABLED`, `DISABLED`, as the product spells it. */
  readonly state: string | undefined
  readonly isLicensed: boolean | undefined
}

const stateShape = z.looseObject({
  key: z.string(),
  version: z.string().optional().catch(undefined),
  state: z.string().optional().catch(undefined),
  license: z.looseObject({ active: z.boolean() }).optional().catch(undefined),
})

export const addonPath = (appKey: string): string => `/rest/atlassian-connect/1/addons/${segment(appKey)}`

/** @throws as of `Exchange` */
export async function readAddonState(exchange: Exchange, appKey: string): Promise<AddonState> {
  const { body } = await exchange('GET', addonPath(appKey), { expect: [200] })
  const { key, version, state, license } = checkAnswer(stateShape, body)
  return { key, version, state, isLicensed: license?.active }
}
