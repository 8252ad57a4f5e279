/** What every adapter does, run over a listening server of its framework: in this order, the last one closes the app. */

import type { AdapterCase } from './adapters/case-tools.ts'
import { endingCases } from './adapters/ending-cases.ts'
import { guardCases } from './adapters/guard-cases.ts'
import { ownRouteCases } from './adapters/own-route-cases.ts'

export const adapterCases: readonly AdapterCase[] = [...ownRouteCases, ...guardCases, ...endingCases]
