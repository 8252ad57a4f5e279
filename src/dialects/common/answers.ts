/** The few answers this dialect gives itself; `http` adds what every private answer carries and turns errors into answers. */

import type { Answer } from '../../http/view.ts'

export const NO_CONTENT: Answer = Object.freeze({ status: 204, headers: [], body: undefined })

/** The browser goes on with a GET. @param to  parsed, so that its `href` is plain ASCII */
export const redirectAnswer = (to: URL): Answer => ({
  status: 303,
  headers: ['content-length', '0', 'location', to.href],
  body: undefined,
})

export const jsonAnswer = (value: unknown): Answer => withBody('application/json; charset=utf-8', JSON.stringify(value))

export const htmlAnswer = (html: string): Answer => withBody('text/html; charset=utf-8', html)

const withBody = (type: string, body: string): Answer => ({
  status: 200,
  headers: ['content-type', type, 'content-length', String(Buffer.byteLength(body))],
  body,
})
