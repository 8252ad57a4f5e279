/** The Node binary and the shared libraries that it needs: all that the jail's file system has besides the app. */

import { execFile } from 'node:child_process'
import { realpath } from 'node:fs/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface NodeFiles {
  readonly node: string
  /** From where they are to where the loader looks for them. */
  readonly libraries: readonly { readonly from: string; readonly to: string }[]
}

let found: Promise<NodeFiles> | undefined

/** Of the Node that runs this. */
export function nodeFiles(): Promise<NodeFiles> {
  found ??= filesOf(process.execPath)
  return found
}

async function filesOf(program: string): Promise<NodeFiles> {
  const node = await realpath(program)
  const { stdout } = await run('ldd', [node])
  const names = stdout.split('\n').flatMap(line => /(?:=> )?(\/\S+) \(0x/.exec(line)?.[1] ?? [])
  const libraries = await Promise.all(names.map(async name => ({ from: await realpath(name), to: name })))
  return { node, libraries }
}

/** A shell and its libraries, in the same shape. */
export const shellFiles = (): Promise<NodeFiles> => filesOf('/bin/sh')
