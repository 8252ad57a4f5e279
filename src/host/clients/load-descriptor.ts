/** Gets an add-on's descriptor as the host does before it offers the install: by URL, or as it was handed over. */

import { AddonCallError, type AddonClient } from '../addon-client.ts'
import { FieldError } from '../fields.ts'
import { type Descriptor, DescriptorError, readDescriptor } from './descriptor.ts'

const MAX_DESCRIPTOR_BYTES = 1024 * 1024

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

async function fetchDocument(addons: AddonClient, url: string, timeoutMs: number): Promise<unknown> {
  const text = url.startsWith('data:') ? readDataUrl(url) : await fetchText(addons, url, timeoutMs)
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new DescriptorError('invalid', 'the descriptor is not JSON', error)
  }
}

async function fetchText(addons: AddonClient, url: string, timeoutMs: number): Promise<string> {
  if (!/^https?:/i.test(url) || !URL.canParse(url)) throw new DescriptorError('invalid', 'not an http(s) or data: URL')
  try {
    const headers = { accept: 'application/json' }
    const answer = await addons.call({ method: 'GET', url, headers, timeoutMs, maxBytes: MAX_DESCRIPTOR_BYTES })
    if (answer.status !== 200) throw new DescriptorError('unreachable', `the descriptor answers ${answer.status}`)
    return answer.body
  } catch (error) {
    if (error instanceof AddonCallError) throw new DescriptorError('unreachable', error.message, error)
    throw error
  }
}

function readDataUrl(url: string): string {
  const match = /^data:application\/json(?:;charset=utf-8)?(;base64)?,(.*)$/is.exec(url)
  if (match === null) throw new DescriptorError('invalid', 'the data: URI is not of type application/json')
  const [, isBase64, data = ''] = match
  try {
    return isBase64 === undefined ? decodeURIComponent(data) : Buffer.from(data, 'base64').toString()
  } catch (error) {
    throw new DescriptorError('invalid', 'the data: URI cannot be decoded', error)
  }
}

function parse(value: unknown): Descriptor {
  try {
    return readDescriptor(value)
  } catch (error) {
    if (error instanceof FieldError) throw new DescriptorError('invalid', error.message, error)
    throw error
  }
}
