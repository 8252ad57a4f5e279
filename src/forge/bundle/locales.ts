/** Translations of an app as its code looks for them: `__LOCALES__/<locale>.json` and what there is (Forge protocol s. 2.2). */

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { PartywallError } from '../../core/errors.ts'
import type { Manifest } from '../manifest/types.ts'

const FOLDER = '__LOCALES__'

/** @returns what was written, as one text */
export async function writeLocales(root: string, { translations }: Manifest, outFolder: string): Promise<string> {
  if (translations === undefined) return ''
  const folder = path.join(outFolder, FOLDER)
  await mkdir(folder, { recursive: true })
  const texts = await Promise.all(
    translations.resources.map(async ({ key, path: name }) => {
      const text = await readFile(path.resolve(root, name), 'utf8').catch((cause: unknown) => {
        throw new PartywallError('ERR_FORGE_BUNDLE', { message: `translations: ${name} cannot be read`, cause })
      })
      await writeFile(path.join(folder, `${key}.json`), text)
      return `${key} ${text}`
    }),
  )
  const info = JSON.stringify({ config: translations })
  await writeFile(path.join(folder, 'i18n-info.json'), info)
  return [...texts, info].join('\n')
}
