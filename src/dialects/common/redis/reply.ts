/** Replies of Redis on the wire (RESP2), out of the pieces in which they arrive. Pure; sockets are `redis-connection.ts`'s matter. */

/** An error that Redis answered with. */
export class RedisRefusal extends Error {}

export type RedisReply = string | number | null | RedisRefusal | readonly RedisReply[]

/** Far above any reply to what we ask: values are cut before they are sent. */
const MAX_PENDING_BYTES = 67_108_864
const MAX_DEPTH = 8

/** Takes pieces, gives the replies that are complete. @throws TypeError for what is no RESP2, or without end */
export function createReplyReader(): (piece: Buffer) => RedisReply[] {
  let pending: Buffer = Buffer.alloc(0)
  return piece => {
    pending = Buffer.concat([pending, piece])
    const replies: RedisReply[] = []
    for (let found = readReply(pending, 0, 0); found !== undefined; found = readReply(pending, 0, 0)) {
      replies.push(found.reply)
      pending = pending.subarray(found.end)
    }
    if (pending.length > MAX_PENDING_BYTES) throw new TypeError('a reply without end')
    return replies
  }
}

interface Found {
  readonly reply: RedisReply
  readonly end: number
}

function readReply(bytes: Buffer, start: number, depth: number): Found | undefined {
  const lineEnd = bytes.indexOf('\r\n', start)
  if (lineEnd < 0) return undefined
  const line = bytes.toString('utf8', start + 1, lineEnd)
  const end = lineEnd + 2
  switch (String.fromCharCode(bytes[start] ?? 0)) {
    case '+':
      return { reply: line, end }
    case '-':
      return { reply: new RedisRefusal(line), end }
    case ':':
      return { reply: lengthOf(line), end }
    case '$':
      return readBulk(bytes, end, lengthOf(line))
    case '*':
      return readArray(bytes, end, lengthOf(line), depth)
    default:
      throw new TypeError('not a reply of Redis')
  }
}

function readBulk(bytes: Buffer, start: number, length: number): Found | undefined {
  if (length < 0) return { reply: null, end: start }
  const end = start + length
  return bytes.length < end + 2 ? undefined : { reply: bytes.toString('utf8', start, end), end: end + 2 }
}

function readArray(bytes: Buffer, start: number, length: number, depth: number): Found | undefined {
  if (depth > MAX_DEPTH) throw new TypeError('a reply nested too deep')
  if (length < 0) return { reply: null, end: start }
  const items: RedisReply[] = []
  let end = start
  while (items.length < length) {
    const found = readReply(bytes, end, depth + 1)
    if (found === undefined) return undefined
    items.push(found.reply)
    end = found.end
  }
  return { reply: items, end }
}

function lengthOf(line: string): number {
  if (/^-?\d{1,15}$/.test(line)) return Number(line)
  throw new TypeError('not a number of Redis')
}
