/**
 * An app as small as can be, for the tests of the embedded database: starts it, prints a line, obeys lines.
 * `close` lets go orderly and ends; any other line is a statement, whose rows are printed as JSON.
 */

import { createInterface } from 'node:readline'
import pg from 'pg'
import { startEmbedded } from '../../src/postgres/embedded/index.ts'

const [folder = '', graceMs = '1000'] = process.argv.slice(2)
const tell = (event: string, fields?: object) => console.error(event, JSON.stringify(fields))
const logger = { debug: tell, info: tell, warn: tell, error: tell }
const database = await startEmbedded({ folder, logger, graceMs: Number(graceMs) })
console.log('ready')

for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'close') break
  console.log(await run(line))
}
await database.close()
console.log('closed')
process.exit(0)

async function run(statement: string): Promise<string> {
  const client = new pg.Client(database.connection)
  client.on('error', error => tell('connection lost', { message: error.message }))
  try {
    await client.connect()
    return JSON.stringify((await client.query(statement)).rows)
  } catch (error) {
    return `failed ${String(error)}`
  } finally {
    await client.end()
  }
}
