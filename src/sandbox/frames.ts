/**
 * Frames on the channel between supervisor and guest: four bytes of length, then JSON. Both ends use this; neither reads more than
 * it allowed. What frames mean is `messages.ts`'s matter.
 */

const HEADER_BYTES = 4

/** One frame as bytes. */
export function frameOf(message: unknown): Buffer {
  const text = JSON.stringify(message)
  const size = Buffer.byteLength(text)
  const frame = Buffer.allocUnsafe(HEADER_BYTES + size)
  frame.writeUInt32LE(size, 0)
  frame.write(text, HEADER_BYTES)
  return frame
}

export interface FrameReader {
  /** Takes what arrived. @throws RangeError a frame announces more than it may have · SyntaxError not JSON */
  push(chunk: Buffer): void
}

/**
 * @param maxBytes  longest frame; a longer one is refused by its header, before any of it is kept
 * @param onMessage  hears of each message, and how many bytes it had
 */
export function createFrameReader(maxBytes: number, onMessage: (message: unknown, bytes: number) => void): FrameReader {
  let chunks: Buffer[] = []
  let held = 0
  let wanted = HEADER_BYTES
  let isInBody = false

  /** The next `size` bytes of what is held. */
  const take = (size: number): Buffer => {
    const all = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, held)
    const rest = all.subarray(size)
    chunks = rest.length === 0 ? [] : [rest]
    held -= size
    return all.subarray(0, size)
  }

  return {
    push(chunk) {
      chunks.push(chunk)
      held += chunk.length
      while (held >= wanted) {
        const bytes = take(wanted)
        if (isInBody) {
          isInBody = false
          wanted = HEADER_BYTES
          onMessage(JSON.parse(bytes.toString('utf8')), bytes.length)
          continue
        }
        const size = bytes.readUInt32LE(0)
        if (size > maxBytes) throw new RangeError(`a frame of ${size} bytes; at most ${maxBytes} are read`)
        wanted = size
        isInBody = true
      }
    },
  }
}
