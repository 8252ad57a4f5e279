/** Reads a request body as JSON: exact content type, strict UTF-8, bounded nesting. Shapes are checked by who asked. */

import { PartywallError } from '../core/errors.ts'
import type { RequestView } from './view.ts'

export interface ReadJsonOptions {
  /** Default 1 MiB. */
  readonly maxBytes?: number
  /** Objects and lists inside each other; default 64. Code behind us recurses over what it gets. */
  readonly maxDepth?: number
}

const JSON_TYPE = /^application\/json(?:[\t ]*;[\t ]*charset=(?:utf-8|"utf-8"))?[\t ]*$/i
const DEFAULT_MAX_DEPTH = 64
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * @returns the parsed value; a key `__proto__` is an own property like any other
 * @throws ERR_CONTENT_TYPE, ERR_BODY_INVALID, and what `view.body` throws. No message quotes the body.
 */
export async function readJson(view: RequestView, options: ReadJsonOptions = {}): Promise<unknown> {
  const types = view.headerValues('content-type')
  if (types.length !== 1 || !JSON_TYPE.test(types[0] ?? '')) throw new PartywallError('ERR_CONTENT_TYPE')
  return parseJson(await view.body(options.maxBytes), options.maxDepth)
}

/** The same for bytes that have been read and verified already. @throws ERR_BODY_INVALID */
export function parseJson(bytes: Buffer, maxDepth: number = DEFAULT_MAX_DEPTH): unknown {
  if (depthOf(bytes) > maxDepth)
    throw new PartywallError('ERR_BODY_INVALID', { message: 'The body is nested too deep.' })
  try {
    return JSON.parse(utf8.decode(bytes))
  } catch {
    // The parser's message quotes the body, so it does not become the cause.
    throw new PartywallError('ERR_BODY_INVALID', { message: 'The body is not JSON in UTF-8.' })
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
