/** Reads flags of the `forge` commands. What is wrong is a wrong usage, exit code 2. */

import { InvalidArgumentError } from 'commander'
import type { JsonValue } from '../../core/tenant.ts'

export function readCount(text: string, flag: string, least: number, most: number): number {
  const number = Number(text)
  if (Number.isSafeInteger(number) && number >= least && number <= most) return number
  throw new InvalidArgumentError(`${flag} is a whole number from ${least} to ${most}`)
}

export function readJson(text: string, what: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue
  } catch {
    throw new InvalidArgumentError(`${what} is not JSON: ${text}`)
  }
}
