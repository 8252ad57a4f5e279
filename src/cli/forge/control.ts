/**
 * How `forge invoke` reaches a `forge dev` that runs: a loopback server whose address and password are in a file that only the
 * developer can read.
 */

import { randomBytes, timingSafeEqual } from 'node:crypto'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { type ErrorCode, isPartywallError, PartywallError } from '../../core/errors.ts'
import type { JsonValue } from '../../core/tenant.ts'
import { makeCall, type WantedCall } from './call.ts'
import { dataFolderOf, type ForgeWorld } from './world.ts'

const MAX_BYTES = 6 * 1024 * 1024
const FILE = 'forge-dev.json'

interface Place {
  readonly url: string
  readonly password: string
}
interface CallAnswer {
  readonly value?: JsonValue
  readonly error?: { readonly code: ErrorCode; readonly message: string }
}

/** @returns the way to stop */
export async function serveCalls(world: ForgeWorld): Promise<() => Promise<void>> {
  const password = randomBytes(24).toString('base64url')
  const server = createServer((request, response) => {
    answer(world, password, request, response).catch((error: unknown) => {
      response.statusCode = 500
      response.end(String(error))
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const file = path.join(world.dataFolder, FILE)
  await rm(file, { force: true })
  await writeFile(file, JSON.stringify({ url: `http://127.0.0.1:${port}/`, password } satisfies Place), { mode: 0o600 })
  return async () => {
    await rm(file, { force: true })
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  }
}

async function answer(
  world: ForgeWorld,
  password: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const given = Buffer.from(request.headers.authorization ?? '')
  const wanted = Buffer.from(`Bearer ${password}`)
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
    response.statusCode = 401
    response.end()
    return
  }
  let made: CallAnswer
  try {
    const value = await makeCall(world, JSON.parse(await textOf(request)) as WantedCall)
    made = value === undefined ? {} : { value }
  } catch (error) {
    if (!isPartywallError(error)) throw error
    made = { error: { code: error.code, message: error.message } }
  }
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify(made))
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > MAX_BYTES) throw new PartywallError('ERR_BODY_TOO_LARGE')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** @returns `undefined` where no `forge dev` of this app runs · @throws what the call threw there */
export async function callRunning(
  folder: string,
  call: WantedCall,
): Promise<{ readonly value: JsonValue | undefined } | undefined> {
  const place = await readFile(path.join(dataFolderOf(folder), FILE), 'utf8').then(
    text => JSON.parse(text) as Place,
    () => undefined,
  )
  if (place === undefined) return undefined
  const response = await fetch(place.url, {
    method: 'POST',
    headers: { authorization: `Bearer ${place.password}` },
    body: JSON.stringify(call),
  }).catch(() => undefined)
  // A file that a process left which died.
  if (response === undefined || response.status === 401) return undefined
  if (!response.ok) throw new Error(await response.text())
  const { value, error } = (await response.json()) as CallAnswer
  if (error !== undefined) throw new PartywallError(error.code, { message: error.message })
  return { value }
}
