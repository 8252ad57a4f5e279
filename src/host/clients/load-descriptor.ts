/** Gets an add-on's descriptor as the host does before it offers the install: by URL, or as it was handed over. */

import type { AddonClient } from '../addon-client.ts'
import { DescriptorError, fetchDocument } from '../descriptor-document.ts'
import { FieldError } from '../fields.ts'
import { type Descriptor, readDescriptor } from './descriptor.ts'

/**
 * @param source URL (`http`, `https`, `data`) or the document itself
 * @throws DescriptorError
 */
export async function loadDescriptor(
  addons: AddonClient,
  source: string | object,
  timeoutMs: number,
): Promise<Descriptor> {
  const document = typeof source === 'string' ? await fetchDocument(addons, source, timeoutMs) : source
  const descriptor = parse(document)
  if (typeof source === 'string' && /^https?:/i.test(source) && descriptor.self !== source) {
    throw new DescriptorError('invalid', `links.self is ${descriptor.self}, but it was fetched from ${source}`)
  }
  return descriptor
}

function parse(value: unknown): Descriptor {
  try {
    return readDescriptor(value)
  } catch (error) {
    if (error instanceof FieldError) throw new DescriptorError('invalid', error.message, error)
    throw error
  }
}
