/** Gets an app's descriptor as a product does before it installs. */

import { DescriptorError, fetchDocument } from '../../descriptor-document.ts'
import { FieldError } from '../../fields.ts'
import type { ConnectState } from '../state.ts'
import { type AppDescriptor, readAppDescriptor } from './descriptor.ts'

/** @throws DescriptorError */
export async function loadAppDescriptor({ apps, settings }: ConnectState, url: string): Promise<AppDescriptor> {
  const document = await fetchDocument(apps, url, settings.callbackTimeoutMs)
  try {
    return readAppDescriptor(document)
  } catch (error) {
    if (error instanceof FieldError) throw new DescriptorError('invalid', error.message, error)
    throw error
  }
}
