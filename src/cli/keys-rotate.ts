/** `partywall keys rotate`: wraps every tenant's data key with the current key-encryption key, while the apps run. */

import type { Command } from 'commander'
import type { Output } from './command-line.ts'

interface RotateFlags {
  readonly folder?: string
  readonly json?: boolean
}

export function addKeysRotate(parent: Command, output: Output): void {
  parent
    .command('rotate')
    .description('move every data key to the first key of PARTYWALL_KEYS; then the older keys may be taken out')
    .option('--folder <folder>', 'data folder of the embedded database, where no DATABASE_URL is set')
    .option('--json', 'print data only')
    .action((flags: RotateFlags) => rotate(flags, output))
}

async function rotate(flags: RotateFlags, output: Output): Promise<void> {
  // Loaded here, so that other commands start without a database driver.
  const [{ openDatabase }, { keyProvider }, { createDataKeys }, { rotateKeys }] = await Promise.all([
    import('../postgres/open.ts'),
    import('../postgres/keys.ts'),
    import('../postgres/secrets.ts'),
    import('../postgres/secrets-rotation.ts'),
  ])
  const keys = await keyProvider({ env: process.env, production: process.env.NODE_ENV === 'production' })
  const database = await openDatabase(flags.folder === undefined ? {} : { folder: flags.folder })
  try {
    const { rewrapped } = await rotateKeys({ system: database.system, dataKeys: createDataKeys({ keys }), keys })
    output.out(
      flags.json === true
        ? `${JSON.stringify({ rewrapped, current: keys.current.id })}\n`
        : `Rewrapped: ${rewrapped} data keys; all are wrapped by "${keys.current.id}" now.\n` +
            'Next: take the older keys out of PARTYWALL_KEYS and restart the apps.\n',
    )
  } finally {
    await database.close()
  }
}
