/**
 * The keeper: a small process in a session of its own that is the database server's parent, so that the server belongs to no
 * app and to no terminal. It alone holds the folder's lock, repairs, initialises, starts and stops; apps stay connected to it
 * for as long as they use the database. Started as a program with one argument, a `KeeperOrder`; loads as little as it can.
 *
 * When it is killed, the guard stops the server and the apps start another keeper. When the server dies, the keeper ends too:
 * there is one way back, a fresh start that repairs.
 */

import { writeSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isPartywallError } from '../../core/errors.ts'
import { type Audience, createAudience } from './audience.ts'
import { prepareBinaries } from './binaries.ts'
import { hasCode } from './files.ts'
import { takeFolderLock } from './folder-lock.ts'
import { type Home, homeOf, keeperAddress, type Place } from './home.ts'
import { hasData, initialise } from './initialise.ts'
import { moveSockets, settlePlace } from './place.ts'
import { decodeOrder, encode, type KeeperGreeting, type KeeperMessage, type KeeperOrder, PROTOCOL } from './protocol.ts'
import { repairLeftovers } from './repair.ts'
import { chooseRunAs, type RunAs } from './run-as.ts'
import { type Server, startServer } from './server.ts'

/** How long apps may still work after the system asked everyone to end. */
const FAREWELL_MS = 10_000

await keep(decodeOrder(process.argv[2] ?? ''))

async function keep(order: KeeperOrder): Promise<void> {
  const home = homeOf(order.folder)
  try {
    if (!(await takeFolderLock(home.lock))) return greet({ kind: 'busy' })
    await serve(home, order)
  } catch (error) {
    greet(failure(error))
    process.exit(1)
  }
}

async function serve(home: Home, order: KeeperOrder): Promise<void> {
  // Every file of ours names its mode; what an account must read shall not depend on who started us.
  process.umask(0o022)
  const settled = await settlePlace(home, await chooseRunAs())
  const { runAs } = settled
  let starting: Promise<Server> | undefined
  let isStopping = false
  const stop = () => {
    if (isStopping) return
    isStopping = true
    audience.shut()
    void endWith(starting)
  }
  const audience = createAudience(order.graceMs, stop)
  const place = await listen(audience, home, settled.place, runAs)
  const farewell = handleSignals(audience, stop)
  greet({ kind: 'listening' })
  starting = bringUp(audience, home, place, order, runAs)
  const server = await starting.catch(async error => {
    await audience.dismiss(failure(error))
    process.exit(1)
  })
  await server.ended
  // Asked to end as everybody was, the server may be faster than the apps: they shall not start another.
  if (isStopping || farewell.isAsked) return
  console.error(new Date().toISOString(), 'the database server ended by itself')
  process.exit(1)
}

/** Our end closes the connections of those who wait for it, and frees the lock. */
async function endWith(starting: Promise<Server> | undefined): Promise<void> {
  try {
    await (await starting)?.stop()
    process.exit(0)
  } catch (error) {
    console.error(new Date().toISOString(), error)
    process.exit(1)
  }
}

async function bringUp(
  audience: Audience,
  home: Home,
  place: Place,
  order: KeeperOrder,
  runAs: RunAs,
): Promise<Server> {
  const folder = dirname(place.data)
  const binaries = await prepareBinaries(order, runAs, folder)
  if (!(await hasData(place.data, binaries))) {
    audience.say({ kind: 'progress', event: 'embedded.initialising', facts: { data: place.data } })
    await initialise(home, place.data, binaries, runAs)
  }
  const found = await repairLeftovers(place)
  if (found !== 'clean') audience.say({ kind: 'progress', event: 'embedded.repaired', facts: { found } })
  audience.say({ kind: 'progress', event: 'embedded.starting', facts: { version: binaries.version } })
  const server = await startServer(home, place, binaries, runAs)
  const host = process.platform === 'win32' ? '127.0.0.1' : place.sockets
  audience.say({ kind: 'ready', protocol: PROTOCOL, host, port: place.port, version: binaries.version })
  return server
}

/** At the usual place, or, on a file system without sockets, at another. */
async function listen(audience: Audience, home: Home, place: Place, runAs: RunAs): Promise<Place> {
  const address = keeperAddress(place)
  // Nobody listens there: we hold the lock.
  if (process.platform !== 'win32') await rm(address, { force: true })
  try {
    await audience.listen(address)
    return place
  } catch (error) {
    if (!hasCode(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL')) throw error
    console.error(new Date().toISOString(), 'no sockets here, trying another folder', error)
  }
  const moved = await moveSockets(home, place, runAs)
  await audience.listen(keeperAddress(moved))
  return moved
}

/** The system's request to end reaches apps and server at the same time: apps get a moment to finish. */
function handleSignals(audience: Audience, stop: () => void): { readonly isAsked: boolean } {
  const farewell = { isAsked: false }
  const ask = () => {
    farewell.isAsked = true
    setTimeout(stop, audience.isEmpty ? 0 : FAREWELL_MS)
  }
  process.on('SIGTERM', ask)
  process.on('SIGINT', ask)
  process.on('SIGHUP', () => undefined)
  return farewell
}

function failure(error: unknown): Extract<KeeperMessage, { kind: 'failed' }> {
  console.error(new Date().toISOString(), error)
  if (isPartywallError(error)) return { kind: 'failed', code: error.code, message: error.message }
  return { kind: 'failed', code: 'ERR_EMBEDDED_UNAVAILABLE', message: `The database keeper failed: ${String(error)}` }
}

function greet(greeting: KeeperGreeting): void {
  try {
    writeSync(1, encode(greeting))
  } catch (error) {
    // Who started us has gone; others may come.
    if (!hasCode(error, 'EPIPE')) throw error
  }
}
