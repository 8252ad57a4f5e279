/** Fetches the document that an add-on describes itself with. What it must say is each kind of host's matter. */

import { AddonCallError, type AddonClient } from './addon-client.ts'

const MAX_DESCRIPTOR_BYTES = 1024 * 1024

/** The add-on cannot be offered for installation; nothing was created and the add-on was told nothing. */
export class DescriptorError extends Error {
  readonly reason: 'unreachable' | 'invalid'
  constructor(reason: 'unreachable' | 'invalid', message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'DescriptorError'
    this.reason = reason
  }
}

/**
 * @param url `http`, `https` or `data`
 * @throws DescriptorError
 */
export async function fetchDocument(addons: AddonClient, url: string, timeoutMs: number): Promise<unknown> {
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
