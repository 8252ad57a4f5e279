/**
 * Reads a request body as JSON: declared type, strict UTF-8, bounded nesting. What the fields mean is checked by whoever
 * asked; the text is handed on as it came, for durable rows and for hashes.
 */

import { PartywallError } from './errors.ts'
import type { JsonValue } from './tenant.ts'

/** What of a request is read here. */
export interface BodySource {
  headerValues(name: string): readonly string[]
  body(maxBytes?: number): Promise<Buffer>
}

export interface JsonBody {
  readonly bytes: Buffer
  readonly text: string
  /** A key `__proto__` is an own property like any other. */
  readonly value: JsonValue
}

export interface ReadJsonOptions {
  /** Default 1 MiB. */
  readonly maxBytes?: number
  /** Objects and lists inside each other; default 64. Code and the database behind us recurse over what they get. */
  readonly maxDepth?: number
}

const JSON_TYPE = /^application\/(?:json|[a-z0-9.-]+\+json)(?:[\t ]*;[\t ]*charset=(?:utf-8|"utf-8"))?[\t ]*$/i
const DEFAULT_MAX_DEPTH = 64
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** @throws ERR_CONTENT_TYPE (415), ERR_BODY_INVALID (400), and what `source.body` throws. No message quotes the body. */
export async function readJsonBody(source: BodySource, options: ReadJsonOptions = {}): Promise<JsonBody> {
  const types = source.headerValues('content-type')
  if (types.length !== 1 || !JSON_TYPE.test(types[0] ?? '')) throw new PartywallError('ERR_CONTENT_TYPE')
  const bytes = await source.body(options.maxBytes)
  if (depthOf(bytes) > (options.maxDepth ?? DEFAULT_MAX_DEPTH)) throw invalid('The body is nested too deep.')
  try {
    const text = utf8.decode(bytes)
    return { bytes, text, value: JSON.parse(text) as JsonValue }
  } catch {
    // The parser's message quotes the body, so it does not become the cause.
    throw invalid('The body is not JSON in UTF-8.')
  }
}

/** Deepest nesting, counted over bytes outside strings: linear, without recursion, before anything is parsed. */
function depthOf(bytes: Buffer): number {
  let depth = 0
  let deepest = 0
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index]
    if (byte === 0x22) index = endOfString(bytes, index)
    else if (byte === 0x7b || byte === 0x5b) deepest = Math.max(deepest, ++depth)
    else if (byte === 0x7d || byte === 0x5d) depth--
  }
  return deepest
}

function endOfString(bytes: Buffer, start: number): number {
  let index = start + 1
  while (index < bytes.length && bytes[index] !== 0x22) index += bytes[index] === 0x5c ? 2 : 1
  return index
}

const invalid = (message: string) => new PartywallError('ERR_BODY_INVALID', { message })
