// An app that keeps what it should not: in a process that serves several installations, each sees what the others left. It is here
// for the isolation report, which finds all four places.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { kvs } from '@forge/kvs'
import Resolver from '@forge/resolver'
import { settingsOf } from './settings.js'

const recent = []
let lastUser
const NOTE_FILE = '/tmp/last-note.txt'

const resolver = new Resolver()

resolver.define('remember', async ({ payload, context }) => {
  recent.push(payload.text)
  lastUser = context.accountId
  globalThis.lastText = payload.text
  const before = existsSync(NOTE_FILE) ? readFileSync(NOTE_FILE, 'utf8') : undefined
  writeFileSync(NOTE_FILE, payload.text)
  await kvs.set('text', payload.text)
  return { recent, lastUser, before, settings: settingsOf(payload.text) }
})

export const handler = resolver.getDefinitions()
