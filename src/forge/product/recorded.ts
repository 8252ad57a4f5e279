/** Recorded answers: a file of requests and what a product said to them, to be played without a product, and the way to make one. */

import { hash } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { PartywallError } from '../../core/errors.ts'
import { platformRefusal } from '../answers.ts'
import type { GuestResponse } from '../services.ts'
import type { ProductBackend, ProductRequest } from './backend.ts'

interface Recording {
  readonly product: string
  readonly as: string
  readonly method: string
  readonly path: string
  /** SHA-256 of the body, in hexadecimal; left out where there was none. */
  readonly body?: string
  readonly answer: Pick<GuestResponse, 'status' | 'headers' | 'body'>
}

/** Who recorded may be named in headers, and where: these go no further. */
const NOT_KEPT = /^(?:set-cookie|x-a.*|atl-.*|report-to|nel|server|date|via|x-cache.*)$/i

/**
 * Plays a file. What is not in it is an answer 404 of the platform, with a code: ERR_FORGE_NOT_RECORDED. The same request that was
 * recorded several times gets its answers in their order, the last one for ever.
 * @throws ERR_CONFIG the file cannot be read
 */
export function createRecordedBackend(file: string): ProductBackend {
  let loading: Promise<Map<string, GuestResponse[]>> | undefined
  return {
    async request(request) {
      loading ??= load(file)
      const answers = (await loading).get(nameOf(describe(request)))
      const [first] = answers ?? []
      if (answers === undefined || first === undefined) {
        const what = `${request.method} ${request.path}`
        return platformRefusal(404, 'ERR_FORGE_NOT_RECORDED', `ERR_FORGE_NOT_RECORDED: ${what} is not in the recording`)
      }
      if (answers.length > 1) answers.shift()
      return first
    },
  }
}

/** Asks another back end and writes every answer down. */
export function createRecordingBackend(inner: ProductBackend, file: string): ProductBackend {
  const recordings: Recording[] = []
  let writing = Promise.resolve()
  return {
    async request(request) {
      const answer = await inner.request(request)
      if (answer === 'needs-authentication') return answer
      const { status, body } = answer
      const headers = answer.headers.filter(([name]) => !NOT_KEPT.test(name))
      recordings.push({ ...describe(request), answer: { status, headers, ...(body === undefined ? {} : { body }) } })
      // One after the other, each time whole: the newest list is what is there in the end.
      writing = writing.then(() => save(file, recordings))
      await writing
      return answer
    },
  }
}

function describe({ product, as, method, path: target, body }: ProductRequest): Omit<Recording, 'answer'> {
  return {
    product,
    as: as.kind === 'user' ? `user ${as.accountId}` : as.kind,
    method,
    path: target,
    ...(body === undefined ? {} : { body: hash('sha256', body) }),
  }
}

const nameOf = ({ product, as, method, path: target, body }: Omit<Recording, 'answer'>): string =>
  JSON.stringify([product, as, method, target, body ?? null])

async function load(file: string): Promise<Map<string, GuestResponse[]>> {
  try {
    const recordings = JSON.parse(await readFile(file, 'utf8')) as readonly Recording[]
    const found = new Map<string, GuestResponse[]>()
    for (const recording of recordings) {
      const name = nameOf(recording)
      found.set(name, [...(found.get(name) ?? []), { statusText: '', ...recording.answer }])
    }
    return found
  } catch (cause) {
    throw new PartywallError('ERR_CONFIG', { message: `the recording ${file} cannot be read`, cause })
  }
}

async function save(file: string, recordings: readonly Recording[]): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true })
  await writeFile(file, `${JSON.stringify(recordings, null, 2)}\n`)
}
