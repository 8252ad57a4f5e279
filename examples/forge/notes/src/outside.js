// What others may send: one note for one issue, by an address that only they know.
import { addNote } from './notes.js'

const JSON_HEADERS = { 'Content-Type': ['application/json'] }

export async function receive({ body }) {
  let note
  try {
    note = JSON.parse(body)
  } catch {
    return { statusCode: 400, headers: JSON_HEADERS, body: JSON.stringify({ error: 'not JSON' }) }
  }
  if (typeof note?.issue !== 'string' || typeof note.text !== 'string') {
    return { statusCode: 400, headers: JSON_HEADERS, body: JSON.stringify({ error: 'issue and text are needed' }) }
  }
  const notes = await addNote(note.issue, note.text)
  return { statusCode: 201, headers: JSON_HEADERS, body: JSON.stringify({ notes: notes.length }) }
}
