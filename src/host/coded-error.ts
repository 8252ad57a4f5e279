/** Errors of the wire code, known by their name: the simulator uses none of the product's values but those. */

import type { PartywallError } from '../core/errors.ts'

export const isCoded = (error: unknown): error is PartywallError =>
  error instanceof Error && error.name === 'PartywallError'
