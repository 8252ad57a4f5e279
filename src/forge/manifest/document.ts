/** The YAML text of a manifest as plain values, and where each of them stands in the file. No rule of Forge is known here. */

import { type Document, isMap, isNode, LineCounter, parseDocument } from 'yaml'
import type { ManifestProblem } from './types.ts'

export type PathPart = string | number

export interface ManifestDocument {
  readonly value: unknown
  /** What is no YAML; nothing else can be said then. */
  readonly errors: readonly ManifestProblem[]
  problem(path: readonly PathPart[], message: string): ManifestProblem
}

/** Aliases that may be spelled out: a handful of anchors is a convenience, a million is an attack. */
const MAX_ALIASES = 100

export function readDocument(text: string): ManifestDocument {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, version: '1.2' })
  const at = (offset: number, path: readonly PathPart[], message: string): ManifestProblem => {
    const { line, col } = lines.linePos(offset)
    return { line, column: col, path: pathText(path), message }
  }
  const errors = document.errors.map(error => at(error.pos[0], [], firstLine(error.message)))
  if (errors.length > 0) return { value: undefined, errors, problem: (path, message) => at(0, path, message) }
  try {
    const value: unknown = document.toJS({ maxAliasCount: MAX_ALIASES })
    return { value, errors: [], problem: (path, message) => at(offsetOf(document, path), path, message) }
  } catch (error) {
    // The library's word for too many aliases.
    const message = error instanceof Error ? firstLine(error.message) : 'the document cannot be read'
    return { value: undefined, errors: [at(0, [], message)], problem: (path, text_) => at(0, path, text_) }
  }
}

/** Of the key where there is one, so that the editor jumps to the line that is wrong; of the nearest parent where a part is missing. */
function offsetOf(document: Document, path: readonly PathPart[]): number {
  for (let length = path.length; length > 0; length -= 1) {
    const parent: unknown = length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true)
    if (isMap(parent)) {
      const pair = parent.items.find(({ key }) => String(key) === String(path[length - 1]))
      if (isNode(pair?.key) && pair.key.range) return pair.key.range[0]
    }
    const node: unknown = document.getIn(path.slice(0, length), true)
    if (isNode(node) && node.range) return node.range[0]
  }
  return 0
}

/** `modules.function[0].handler`. */
export const pathText = (path: readonly PathPart[]): string =>
  path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`
    return text === '' ? part : `${text}.${part}`
  }, '')

const firstLine = (text: string): string => text.split('\n', 1)[0]?.replace(/ at line .*$/, '') ?? ''
