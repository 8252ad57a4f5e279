// What the panel of an issue calls.
import api, { route } from '@forge/api'
import { Queue } from '@forge/events'
import Resolver from '@forge/resolver'
import { addNote, allNotes, notesOf } from './notes.js'

const digestQueue = new Queue({ key: 'digest' })
const resolver = new Resolver()

resolver.define('add', async ({ payload, context }) => {
  const issue = context.extension.issue.key
  const notes = await addNote(issue, payload.text)
  const { jobId } = await digestQueue.push({ body: { issue, text: payload.text } })
  return { notes, jobId }
})

resolver.define('list', ({ context }) => notesOf(context.extension.issue.key))

resolver.define('all', () => allNotes())

// As the person who looks: what they may not see, the app does not show them.
resolver.define('summary', async ({ context }) => {
  const answer = await api.asUser().requestJira(route`/rest/api/3/issue/${context.extension.issue.key}?fields=summary`)
  if (!answer.ok) return { error: answer.status }
  const { fields } = await answer.json()
  return { summary: fields.summary }
})

export const handler = resolver.getDefinitions()
