/** How long a function may take: by what calls it, and by what its manifest asks for (Forge protocol s. 5.3, 2026-10). */

import type { FunctionTarget, Manifest } from '../manifest/types.ts'

export type InvocationKind = 'resolver' | 'trigger' | 'webtrigger' | 'scheduledTrigger' | 'consumer' | 'preUninstall'

const SECOND_MS = 1000
/** Seconds of kinds whose limit is fixed. */
const FIXED: Partial<Record<InvocationKind, number>> = { resolver: 25, trigger: 25, webtrigger: 55 }
/** Of the others: without `timeoutSeconds`, and at most. */
const DEFAULT_SECONDS = 55
const MAX_SECONDS = 900

/** @returns milliseconds: of a function that serves several kinds of modules, the lowest of their limits */
export function timeoutOf(manifest: Manifest, functionKey: string, kind: InvocationKind): number {
  const asked = manifest.functions.find(({ key }) => key === functionKey)?.timeoutSeconds
  const seconds = [kind, ...kindsOf(manifest, functionKey)].map(one => {
    const most = FIXED[one] ?? MAX_SECONDS
    return Math.min(most, asked ?? FIXED[one] ?? DEFAULT_SECONDS)
  })
  return Math.min(...seconds) * SECOND_MS
}

/** Longest that any function may take. */
export const LONGEST_MS = MAX_SECONDS * SECOND_MS

function kindsOf(manifest: Manifest, functionKey: string): InvocationKind[] {
  const isServed = (target: FunctionTarget | undefined) =>
    target !== undefined && 'functionKey' in target && target.functionKey === functionKey
  const served = (kind: InvocationKind, targets: readonly (FunctionTarget | undefined)[]) =>
    targets.some(isServed) ? [kind] : []
  return [
    ...served(
      'resolver',
      manifest.uiModules.map(one => one.resolver),
    ),
    ...served(
      'trigger',
      manifest.triggers.map(one => one.target),
    ),
    ...served(
      'webtrigger',
      manifest.webTriggers.map(one => one.target),
    ),
  ]
}
