/** Errors of a simulated API, and HipChat's form of them: `{"error": {"code", "type", "message"}}`. */

import type { Reply } from './reply.ts'

const TYPES: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  413: 'PayloadTooLarge',
  415: 'UnsupportedMediaType',
  429: 'TooManyRequests',
  500: 'InternalServerError',
  502: 'BadGateway',
  503: 'ServiceUnavailable',
}

/** Thrown by a handler; becomes the answer. `message` goes to the caller. */
export class ApiError extends Error {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** A name more exact than the status; OAuth has some. */
  readonly type: string | undefined
  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}, type?: string) {
    super(message)
    this.name = 'ApiError'
    this.status = status
    this.headers = headers
    this.type = type
  }
}

/** How one kind of host writes its errors. */
export type ErrorReply = (
  status: number,
  message: string,
  headers?: Readonly<Record<string, string>>,
  type?: string,
) => Reply

export const errorReply: ErrorReply = (status, message, headers = {}, type = TYPES[status] ?? 'Error') => ({
  status,
  headers,
  json: { error: { code: status, type, message } },
})
