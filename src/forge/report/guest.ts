/**
 * The guest of a program that was built for the isolation report: like any other, and it answers one more question, where texts of a
 * tenant are still kept after its calls.
 */

import type { JsonValue } from '../../core/tenant.ts'
import type { GuestApi } from '../../sandbox/types.ts'
import type { createGuest } from '../guest/entry.ts'
import { type FoundPlace, searchState } from './search-state.ts'

/** What the report asks instead of a call. */
export interface Search {
  readonly search: { readonly markers: readonly string[] }
}

const PRIVATE_FOLDER = '/tmp'
/** Put there by the platform, before the app is loaded. */
const OURS = new Set(['__forge_runtime__', '__forge_fetch__', 'fetch'])

export function withReport(
  api: GuestApi,
  load: Parameters<typeof createGuest>[1],
  folder: string,
  create: typeof createGuest,
): (payload: JsonValue) => Promise<JsonValue> {
  let modules: ReturnType<typeof load> = {}
  const loadOnce = () => {
    modules = load()
    return modules
  }
  const run = create(api, loadOnce, folder)
  return async payload => {
    if (!isSearch(payload)) return run(payload)
    // Exports are getters that the bundler made; what is behind them is the app's.
    const roots = Object.values(modules).flatMap(module => Object.values(module))
    const found: readonly FoundPlace[] = searchState(roots, payload.search.markers, PRIVATE_FOLDER, name =>
      OURS.has(name),
    )
    return found as unknown as JsonValue
  }
}

const isSearch = (payload: JsonValue): payload is JsonValue & Search =>
  typeof payload === 'object' && payload !== null && 'search' in payload
