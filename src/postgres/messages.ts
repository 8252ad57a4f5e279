/**
 * The few frontend messages of PostgreSQL's protocol that we write ourselves, each as one finished buffer.
 * Text format only, unnamed portals only. No state, no socket.
 */

import type { Parameter } from './database.ts'

/** Ends a group: the server commits what came since the last one, or rolls all of it back. */
export const SYNC: Buffer = Buffer.from([0x53, 0, 0, 0, 4])
/** Asks for the column names and types of the unnamed portal. */
export const DESCRIBE_PORTAL: Buffer = Buffer.from([0x44, 0, 0, 0, 6, 0x50, 0])

const HEADER = 5
/** Execute of the unnamed portal, all rows. */
const EXECUTE = Buffer.from([0x45, 0, 0, 0, 9, 0, 0, 0, 0, 0])

/** Parse: `name` is empty for the unnamed statement; parameter types are left to the server. */
export function parseMessage(name: string, text: string): Buffer {
  const size = HEADER + Buffer.byteLength(name) + 1 + Buffer.byteLength(text) + 1 + 2
  const buffer = Buffer.allocUnsafe(size)
  let at = writeHeader(buffer, 0x50, size)
  at = writeText(buffer, at, name)
  at = writeText(buffer, at, text)
  buffer.writeInt16BE(0, at)
  return buffer
}

/** Bind of the prepared statement `name` to the unnamed portal. */
export function bindMessage(name: string, values: readonly Parameter[]): Buffer {
  const buffer = Buffer.allocUnsafe(bindSize(name, values))
  writeBind(buffer, 0, name, values)
  return buffer
}

/** Bind and Execute of prepared statements, one after the other, and the Sync behind them, in one buffer: the hot path. */
export function groupMessage(calls: readonly (readonly [{ readonly name: string }, readonly Parameter[]])[]): Buffer {
  let size = SYNC.length
  for (const [{ name }, values] of calls) size += bindSize(name, values) + EXECUTE.length
  const buffer = Buffer.allocUnsafe(size)
  let at = 0
  for (const [{ name }, values] of calls) {
    at = writeBind(buffer, at, name, values)
    at += EXECUTE.copy(buffer, at)
  }
  SYNC.copy(buffer, at)
  return buffer
}

export { EXECUTE }

function bindSize(name: string, values: readonly Parameter[]): number {
  let size = HEADER + 1 + Buffer.byteLength(name) + 1 + 2 + 2 + 2
  for (const value of values) size += 4 + (value === null ? 0 : Buffer.byteLength(value))
  return size
}

/** @returns where the message ends; its length is known and written then */
function writeBind(buffer: Buffer, start: number, name: string, values: readonly Parameter[]): number {
  buffer[start] = 0x42
  let at = start + HEADER
  buffer[at++] = 0
  at = writeText(buffer, at, name)
  at = buffer.writeInt16BE(0, at)
  at = buffer.writeUInt16BE(values.length, at)
  for (const value of values) {
    if (value === null) {
      at = buffer.writeInt32BE(-1, at)
    } else {
      const length = buffer.write(value, at + 4)
      buffer.writeInt32BE(length, at)
      at += 4 + length
    }
  }
  at = buffer.writeInt16BE(0, at)
  buffer.writeInt32BE(at - start - 1, start + 1)
  return at
}

function writeHeader(buffer: Buffer, type: number, size: number): number {
  buffer[0] = type
  return buffer.writeInt32BE(size - 1, 1)
}

function writeText(buffer: Buffer, at: number, text: string): number {
  const end = at + buffer.write(text, at)
  buffer[end] = 0
  return end + 1
}
