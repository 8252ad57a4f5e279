/** Source maps of bundles: written without what tells of the machine, and read to name the app's own files in stack traces. */

import { readFileSync } from 'node:fs'
import { SourceMap } from 'node:module'
import path from 'node:path'

interface RawMap {
  sources: string[]
  sourceRoot?: string
  [key: string]: unknown
}

/** Names of files below the app's folder stay; of those outside, what follows the last parent. */
export function tidySourceMap(contents: Uint8Array): Buffer {
  const map = JSON.parse(Buffer.from(contents).toString('utf8')) as RawMap
  map.sources = map.sources.map(source => source.replace(/^(?:.*\/)?\.\.\//, ''))
  return Buffer.from(JSON.stringify(map))
}

const maps = new Map<string, SourceMap | undefined>()

/** @returns `src/notes.js:12:5` for a position in the bundle, counted from 1; `undefined` where nothing is known */
export function originalPosition(bundle: string, line: number, column: number): string | undefined {
  const entry = mapOf(bundle)?.findEntry(line - 1, column - 1)
  if (entry === undefined || !('originalSource' in entry) || entry.originalSource === undefined) return undefined
  return `${entry.originalSource}:${entry.originalLine + 1}:${entry.originalColumn + 1}`
}

/**
 * A stack of the guest with the app's own files: lines of the launcher and of Node are left out.
 * @param bundle  the bundle's file outside
 */
export function readableStack(stack: string, bundle: string): string {
  const name = path.basename(bundle)
  return stack
    .split('\n')
    .flatMap(line => {
      if (!/^\s+at /.test(line)) return [line]
      if (/launcher\.cjs|\(node:| node:/.test(line)) return []
      const place = new RegExp(`(?:file://)?[^\\s(]*${name.replaceAll('.', '\\.')}:(\\d+):(\\d+)`).exec(line)
      if (place === null) return [line]
      const original = originalPosition(bundle, Number(place[1]), Number(place[2]))
      return [original === undefined ? line : line.replace(place[0], original)]
    })
    .join('\n')
}

function mapOf(bundle: string): SourceMap | undefined {
  if (maps.has(bundle)) return maps.get(bundle)
  let map: SourceMap | undefined
  try {
    map = new SourceMap(JSON.parse(readFileSync(`${bundle}.map`, 'utf8')))
  } catch {
    // A bundle without a map is one that was built elsewhere; its own positions must do.
    map = undefined
  }
  maps.set(bundle, map)
  return map
}
