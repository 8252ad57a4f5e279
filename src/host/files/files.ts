/** Files that were shared or uploaded as photos: kept in memory, served to whoever has the address. */

import { keepNewest } from '../newest.ts'
import type { HostRandom } from '../random.ts'

export interface StoredFile {
  readonly name: string
  readonly bytes: Buffer
}

export interface FileTable {
  /** @returns the absolute address, which cannot be guessed */
  add(file: StoredFile): string
  find(id: string, name: string): StoredFile | undefined
}

const MAX_FILES = 1_000

/** Keeps the newest 1,000. */
export function createFiles(url: string, random: HostRandom): FileTable {
  const files = new Map<string, StoredFile>()
  return {
    add: file => {
      const id = random.text(24)
      keepNewest(files, id, file, MAX_FILES)
      return `${url}/files/${id}/${encodeURIComponent(file.name)}`
    },
    find: (id, name) => {
      const file = files.get(id)
      return file?.name === name ? file : undefined
    },
  }
}
