import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openDatabase } from '../../src/postgres/open.ts'
import { rejection } from '../support/errors.ts'

test('F 66: a standby is refused, since what it says about installations may be old', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'pws-'))
  try {
    const primary = await openDatabase({ folder, environment: {} })
    await primary.close()
    const place: { data: string | null } = JSON.parse(await readFile(join(folder, 'postgres', 'place.json'), 'utf8'))
    const data = place.data ?? join(folder, 'postgres', 'data')
    // Without a primary to follow it serves what it has, read-only, for ever.
    await writeFile(join(data, 'standby.signal'), '')
    const error = await rejection(openDatabase({ folder, environment: {} }), 'ERR_STORE_UNAVAILABLE')
    assert.match(error.message, /standby/)
    assert.equal(error.status, 503)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
