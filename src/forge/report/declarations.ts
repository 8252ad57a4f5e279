/** Which of the app's files a variable of its bundle comes from: the declaration in the bundle, and what the source map says of it. */

import { readFile } from 'node:fs/promises'
import { originalPosition } from '../bundle/source-map.ts'

export interface Declaration {
  /** `src/settings.js`, as the app's folder has it. */
  readonly file: string
  readonly line: number
}

/** @returns what finds the declaration of a variable; where several have the name, those of the app's own files come first */
export async function readDeclarations(bundle: string): Promise<(variable: string) => Declaration | undefined> {
  const lines = (await readFile(bundle, 'utf8')).split('\n')
  const placesOf = (variable: string, pattern: RegExp): Declaration[] =>
    lines.flatMap((line, index) => {
      const match = pattern.exec(line)
      if (match === null) return []
      const column = match.index + match[0].indexOf(variable)
      const [, file, at] = /^(.*):(\d+):\d+$/.exec(originalPosition(bundle, index + 1, column + 1) ?? '') ?? []
      return file === undefined ? [] : [{ file, line: Number(at) }]
    })
  return variable => {
    const name = escaped(variable)
    // The bundler may declare far from where the app does: then the first assignment is the next best.
    const declared = placesOf(variable, new RegExp(`\\b(?:var|let|const|function|class)\\s+${name}(?![\\w$])`))
    const found = [
      ...declared,
      ...placesOf(variable, new RegExp(`(?<![\\w$.])${name}\\s*(?:\\?\\?|\\|\\||&&|[-+*/%|&^])?=(?!=)`)),
    ]
    return found.find(({ file }) => !file.includes('node_modules/')) ?? found[0]
  }
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
