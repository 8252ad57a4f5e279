/** One connection to Redis, enough to read an old store with, so that an import needs no client library. */

import { connect as connectPlain, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { PartywallError } from '../../../core/errors.ts'
import { createReplyReader, RedisRefusal, type RedisReply } from './reply.ts'

export interface RedisConnection {
  /** @throws PartywallError ERR_IMPORT_SOURCE when the connection has ended · Error what Redis answered */
  sendCommand(words: readonly string[]): Promise<unknown>
  close(): Promise<void>
}

const SILENCE_MS = 30_000

/**
 * Connects, authenticates and chooses the database as the URL says.
 *
 * @param url  `redis://[[user]:password@]host[:port][/database]`, or `rediss:` for TLS
 * @throws PartywallError ERR_CONFIG for another URL; ERR_IMPORT_SOURCE when Redis cannot be reached or refuses the password
 */
export async function connectRedis(url: string): Promise<RedisConnection> {
  const target = URL.canParse(url) ? new URL(url) : undefined
  const isTls = target?.protocol === 'rediss:'
  const database = target?.pathname.slice(1) ?? ''
  if (target === undefined || (target.protocol !== 'redis:' && !isTls) || !/^\d{0,4}$/.test(database)) {
    // Never quoted: it may hold a password.
    throw new PartywallError('ERR_CONFIG', { message: 'the address of Redis is not redis://host:port/database' })
  }
  const place = { host: target.hostname.replace(/^\[|\]$/g, '') || 'localhost', port: Number(target.port || 6379) }
  const connection = createConnection(isTls ? connectTls({ ...place, servername: place.host }) : connectPlain(place))
  const [user, password] = [decodeURIComponent(target.username), decodeURIComponent(target.password)]
  try {
    if (password !== '') await connection.sendCommand(['AUTH', ...(user === '' ? [] : [user]), password])
    if (database !== '') await connection.sendCommand(['SELECT', database])
    await connection.sendCommand(['PING'])
    return connection
  } catch (cause) {
    await connection.close()
    throw new PartywallError('ERR_IMPORT_SOURCE', { cause, message: `Redis on ${target.host} cannot be used` })
  }
}

interface Waiting {
  resolve(reply: RedisReply): void
  reject(error: Error): void
}

function createConnection(socket: Socket): RedisConnection {
  const waiting: Waiting[] = []
  const read = createReplyReader()
  let ended: Error | undefined
  const end = (error: Error): void => {
    ended ??= error
    for (const one of waiting.splice(0)) one.reject(ended)
  }
  socket.setTimeout(SILENCE_MS, () => {
    // Silence is an end only where something is awaited.
    if (waiting.length > 0) socket.destroy(new Error('Redis does not answer'))
  })
  socket.on('error', end)
  socket.on('close', () => end(new Error('the connection to Redis has ended')))
  socket.on('data', piece => {
    try {
      for (const reply of read(piece)) {
        const next = waiting.shift()
        if (reply instanceof RedisRefusal) next?.reject(reply)
        else next?.resolve(reply)
      }
    } catch (error) {
      socket.destroy(error instanceof Error ? error : new Error('not a reply of Redis'))
    }
  })
  return {
    sendCommand: words =>
      new Promise<RedisReply>((resolve, reject) => {
        if (ended !== undefined) return reject(ended)
        waiting.push({ resolve, reject })
        const parts = words.map(word => `$${Buffer.byteLength(word)}\r\n${word}\r\n`)
        socket.write(`*${words.length}\r\n${parts.join('')}`)
      }),
    close: () =>
      new Promise(resolve => {
        if (socket.closed) return resolve()
        socket.once('close', () => resolve())
        socket.destroy()
      }),
  }
}
