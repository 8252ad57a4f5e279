/** An app's connection to the keeper of its folder: finds it, starts it when there is none, waits until the server is ready. */

import { type ChildProcess, spawn } from 'node:child_process'
import { open } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { extname, parse } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { PartywallError } from '../../core/errors.ts'
import type { Logger } from '../../core/ports.ts'
import { hasCode, readIfPresent } from './files.ts'
import { type Home, keeperAddress, readPlace } from './home.ts'
import {
  CLOSE,
  decodeGreeting,
  decodeMessage,
  type KeeperGreeting,
  type KeeperMessage,
  type KeeperOrder,
  onLines,
  PROTOCOL,
} from './protocol.ts'
import { baseEnvironment } from './run-as.ts'

/** A stopping server holds the folder for at most 40 s. */
const FIND_MS = 90_000
/** An app that is asked to end has 8 s for everything. */
const CLOSE_MS = 5000
const GREETING_MS = 30_000
const LOOK_AGAIN_MS = 25
/** How often to look for the keeper that was faster before starting one of our own again. */
const LOOKS = 20

export type Ready = Extract<KeeperMessage, { kind: 'ready' }>

export interface KeeperLink {
  readonly ready: Ready
  /** Resolves when the connection has ended, by us or by the keeper. */
  readonly ended: Promise<void>
  /** Leaves orderly. Resolves, when we were the last, after the server has stopped, or after 5 s. */
  close(): Promise<void>
}

/**
 * @throws ERR_EMBEDDED_UNAVAILABLE, ERR_EMBEDDED_MAJOR as the keeper says; ERR_EMBEDDED_UNAVAILABLE when none can be reached
 */
export async function linkToKeeper(home: Home, order: KeeperOrder, logger: Logger): Promise<KeeperLink> {
  const deadline = performance.now() + FIND_MS
  while (performance.now() < deadline) {
    const socket = (await dial(home)) ?? (await startAndDial(home, order))
    const link = socket === undefined ? undefined : await awaitReady(socket, logger)
    if (link !== undefined) return link
    await delay(LOOK_AGAIN_MS)
  }
  throw unavailable(`No keeper of ${home.root} answers, but its lock is held: end the process that holds ${home.lock}.`)
}

/** `undefined` when a keeper is there or on its way out but cannot be reached yet: look again. */
async function startAndDial(home: Home, order: KeeperOrder): Promise<Socket | undefined> {
  const greeting = await startKeeper(home, order)
  if (greeting.kind === 'failed') throw new PartywallError(greeting.code, { message: greeting.message })
  if (greeting.kind === 'listening') return dial(home)
  for (let look = 0; look < LOOKS; look += 1) {
    await delay(LOOK_AGAIN_MS)
    const socket = await dial(home)
    if (socket !== undefined) return socket
  }
  return undefined
}

/** A connection to the keeper, `undefined` when nobody listens. */
async function dial(home: Home): Promise<Socket | undefined> {
  const place = await readPlace(home)
  if (place === undefined) return undefined
  return new Promise((resolve, reject) => {
    const socket = connect(keeperAddress(place))
    const refused = (error: unknown) => {
      if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'EAGAIN')) resolve(undefined)
      else reject(unavailable('The keeper of the database cannot be reached.', error))
    }
    socket.once('error', refused)
    socket.once('connect', () => {
      socket.off('error', refused)
      resolve(socket)
    })
  })
}

/** Follows the keeper's messages until the server is ready; `undefined` when it hangs up before. */
function awaitReady(socket: Socket, logger: Logger): Promise<KeeperLink | undefined> {
  return new Promise((resolve, reject) => {
    const ended = new Promise<void>(end => socket.once('close', () => end()))
    socket.on('error', error => logger.debug('embedded.keeper-connection-broke', { error }))
    socket.once('close', () => resolve(undefined))
    const give = (error: unknown) => {
      socket.destroy()
      reject(error)
    }
    onLines(socket, line => {
      try {
        const message = decodeMessage(line)
        if (message.kind === 'progress') logger.info(message.event, message.facts)
        else if (message.kind === 'failed') give(new PartywallError(message.code, { message: message.message }))
        else if (message.protocol !== PROTOCOL) give(otherVersion())
        else resolve(createLink(socket, message, ended))
      } catch (error) {
        give(unavailable('The keeper said something that was not understood.', error))
      }
    })
  })
}

function createLink(socket: Socket, ready: Ready, ended: Promise<void>): KeeperLink {
  // The connection shows that we live; it must not be what keeps us alive.
  socket.unref()
  return {
    ready,
    ended,
    close() {
      if (socket.destroyed) return ended
      socket.ref()
      socket.end(`${CLOSE}\n`)
      // A slow disk: the keeper stops the server without us.
      const patience = setTimeout(() => socket.destroy(), CLOSE_MS)
      return ended.then(() => clearTimeout(patience))
    },
  }
}

/** Starts a keeper that outlives us and waits for its greeting. */
async function startKeeper(home: Home, order: KeeperOrder): Promise<KeeperGreeting> {
  const file = fileURLToPath(new URL(`./keeper${extname(import.meta.url)}`, import.meta.url))
  // Run from sources, the keeper needs the same translation as we do.
  const loader = file.endsWith('.ts') ? ['--import', import.meta.resolve('tsx')] : []
  const log = await open(home.keeperLog, 'a', 0o600)
  try {
    const child = spawn(process.execPath, ['--max-semi-space-size=1', ...loader, file, JSON.stringify(order)], {
      // Not the data folder: a program whose working folder is removed while it starts can hang.
      cwd: parse(home.root).root,
      detached: true,
      env: baseEnvironment(),
      stdio: ['ignore', 'pipe', log.fd],
      windowsHide: true,
    })
    return await awaitGreeting(child, home)
  } finally {
    await log.close()
  }
}

function awaitGreeting(child: ChildProcess, home: Home): Promise<KeeperGreeting> {
  return new Promise((resolve, reject) => {
    const output = child.stdout
    if (output === null) throw new TypeError('the keeper needs a pipe for its greeting')
    const patience = setTimeout(() => {
      child.kill('SIGKILL')
      reject(unavailable(`The keeper of the database says nothing; see ${home.keeperLog}.`))
    }, GREETING_MS)
    child.once('error', error => reject(unavailable('The keeper of the database cannot be started.', error)))
    output.once('close', () => clearTimeout(patience))
    output.once('close', () => readIfPresent(home.keeperLog).then(text => reject(silent(text)), reject))
    onLines(output, line => {
      try {
        resolve(decodeGreeting(line))
      } catch (error) {
        reject(unavailable('The keeper of the database gave a greeting that was not understood.', error))
      }
      output.destroy()
      child.unref()
    })
  })
}

const silent = (log: string | undefined): PartywallError =>
  unavailable(`The keeper of the database ended at once: ${(log ?? '').trim().slice(-600)}`)

const otherVersion = (): PartywallError =>
  unavailable('Another version of Partywall runs the database of this folder: stop the apps that use it first.')

const unavailable = (message: string, cause?: unknown): PartywallError =>
  new PartywallError('ERR_EMBEDDED_UNAVAILABLE', { message, cause })
