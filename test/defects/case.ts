/** A case: one thing an add-on's author relies on, and the defect of the library of before that it answers. */

import { AssertionError } from 'node:assert'
import { inspect } from 'node:util'
import type { Target } from './target.ts'

export interface DefectCase {
  /** Number in the list of `defects.ts`. */
  readonly defect: number
  /** What holds, as a sentence. */
  readonly name: string
  /** Left out: shown by what the add-on does. Else how it is shown on the library of before. */
  readonly shownBy?: string
  /** @throws AssertionError when it does not hold; any other error means that the case could not be run */
  run(target: Target): Promise<void>
}

export type Verdict = { readonly ok: true } | { readonly ok: false; readonly reason: string }

/** @throws what kept the case from running */
export async function judge<T>(one: { run(target: T): Promise<void> }, target: T): Promise<Verdict> {
  try {
    await one.run(target)
    return { ok: true }
  } catch (error) {
    if (!(error instanceof AssertionError)) throw error
    return { ok: false, reason: reasonOf(error) }
  }
}

/** One line; where the case says nothing itself, what was found instead of what. */
function reasonOf(error: AssertionError): string {
  if (!error.generatedMessage) return error.message.split('\n')[0] ?? ''
  const print = (value: unknown) => inspect(value, { breakLength: Number.POSITIVE_INFINITY })
  return `${print(error.actual)} instead of ${print(error.expected)}`
}
