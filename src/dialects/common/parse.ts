/** What is wrong with a definition, and where: the first issue of a shape as a path people can follow, never with the value. */

import type * as z from 'zod'
import { PartywallError } from '../../core/errors.ts'

/** @throws PartywallError ERR_DESCRIPTOR_INVALID naming `place` and the field, such as `glance[1].key` */
export function parseAt<T>(place: string, shape: z.ZodType<T>, value: unknown): T {
  const read = shape.safeParse(value)
  if (read.success) return read.data
  const { path, message } = firstIssue(place, read.error)
  throw invalidAt(path, message)
}

export const invalidAt = (path: string, message: string) =>
  new PartywallError('ERR_DESCRIPTOR_INVALID', { message: `${path}: ${message}`, details: { path } })

/** @param place  what the value is called; may be empty */
export function firstIssue(place: string, { issues }: z.ZodError): { readonly path: string; readonly message: string } {
  const steps = (issues[0]?.path ?? []).map(step => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`))
  return { path: (place + steps.join('')).replace(/^\./, ''), message: issues[0]?.message ?? 'not valid' }
}
