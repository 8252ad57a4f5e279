// What happens while nobody waits: the digest that grows with every note, the nightly clean-up, and new issues.
import { kvs } from '@forge/kvs'
import { addNote, allNotes } from './notes.js'

export async function digest({ body }) {
  const lines = (await kvs.get('digest')) ?? []
  await kvs.set('digest', [...lines, `${body.issue}: ${body.text}`])
}

export async function tidy() {
  const notes = await allNotes()
  await kvs.set('count', notes.length)
  console.log(`${notes.length} notes kept`)
}

export async function onIssue({ issue }) {
  await addNote(issue.key, 'A fresh issue.')
}
