// Where notes are kept: a list a issue, in this installation's storage and nobody else's.
import { kvs, WhereConditions } from '@forge/kvs'

const keyOf = issue => `notes:${issue}`

export const notesOf = async issue => (await kvs.get(keyOf(issue))) ?? []

export async function addNote(issue, text) {
  const notes = [...(await notesOf(issue)), text]
  await kvs.set(keyOf(issue), notes)
  return notes
}

export async function allNotes() {
  const { results } = await kvs.query().where('key', WhereConditions.beginsWith('notes:')).limit(100).getMany()
  return results.flatMap(({ key, value }) => value.map(text => ({ issue: key.slice('notes:'.length), text })))
}
