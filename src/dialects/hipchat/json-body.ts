/**
 * Reads a JSON request body strictly: declared type, UTF-8, syntax, bounded nesting. What the fields mean is checked by whoever
 * asked; the text is handed on as it came, for the durable row and for hashes.
 */

import { PartywallError } from '../../core/errors.ts'
import type { RequestView } from '../../http/view.ts'

/** Deeper than any delivery of a host; parsers and the database behind us recurse. */
const MAX_DEPTH = 64

export interface JsonBody {
  readonly bytes: Buffer
  readonly text: string
  readonly value: unknown
}

/**
 * @throws PartywallError ERR_CONTENT_TYPE (415), ERR_BODY_INVALID (400), and what `view.body()` throws
 */
export async function readJsonBody(view: RequestView): Promise<JsonBody> {
  checkContentType(view.headerValues('content-type'))
  const bytes = await view.body()
  const text = decode(bytes)
  checkDepth(bytes)
  return { bytes, text, value: parse(text) }
}

function checkContentType(values: readonly string[]): void {
  const [type = '', ...parameters] = (values[0] ?? '').split(';').map(part => part.trim().toLowerCase())
  const isJson = type === 'application/json' || /^application\/[a-z0-9.-]+\+json$/.test(type)
  const isUtf8 = parameters.every(
    parameter => !parameter.startsWith('charset=') || /^charset="?utf-8"?$/.test(parameter),
  )
  if (values.length !== 1 || !isJson || !isUtf8) throw new PartywallError('ERR_CONTENT_TYPE')
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (error) {
    throw invalid('not UTF-8', error)
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's message quotes the body, which may hold a secret: it is left behind.
    throw invalid('not JSON')
  }
}

/** Counts brackets outside strings; runs before the parser, so that no nesting reaches it. */
function checkDepth(bytes: Buffer): void {
  let depth = 0
  let inString = false
  for (let index = 0; index < bytes.length; index += 1) {
    const byte = bytes[index]
    if (inString) {
      if (byte === 0x5c) index += 1
      else if (byte === 0x22) inString = false
    } else if (byte === 0x22) inString = true
    else if (byte === 0x5b || byte === 0x7b) {
      depth += 1
      if (depth > MAX_DEPTH) throw invalid(`nested deeper than ${MAX_DEPTH}`)
    } else if (byte === 0x5d || byte === 0x7d) depth -= 1
  }
}

const invalid = (reason: string, cause?: unknown) =>
  new PartywallError('ERR_BODY_INVALID', { details: { reason }, cause })
