/**
 * Holds a response of Node back until its head is about to leave: only then is it known whether the tenant is still there, and
 * which headers his answer needs. Whatever writes it, and however (`send`, `pipe`, `writeHead`, a framework's error page),
 * an installation that ended meanwhile gets the refusal instead.
 */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { errorAnswer, PRIVATE_HEADERS } from './answers.ts'
import { headersOfNode, keepPrivate, setHeaders } from './response-headers.ts'
import type { Guarded } from './view.ts'
import { writeAnswer } from './write-answer.ts'

const METHODS = ['writeHead', 'flushHeaders', 'write', 'end'] as const
type Method = (typeof METHODS)[number]
// biome-ignore lint/suspicious/noExplicitAny: passed on as they came
type Call = (...parameters: any[]) => unknown

/** Call once per guarded request, before anything of the response has been written. */
export function holdResponse(request: IncomingMessage, response: ServerResponse, guarded: Guarded<object>): void {
  const target = headersOfNode(response)
  /** `asking`: the registry is asked again, and what is written meanwhile waits. */
  let state: 'held' | 'asking' | 'open' | 'refused' = 'held'
  const waiting: (() => unknown)[] = []
  setHeaders(target, PRIVATE_HEADERS)

  const open = () => {
    state = 'open'
    keepPrivate(target)
    setHeaders(target, guarded.headers())
  }
  const refuse = (error: unknown) => {
    for (const name of response.getHeaderNames()) response.removeHeader(name)
    state = 'open'
    writeAnswer(request, response, errorAnswer(error))
    state = 'refused'
  }
  const settle = (decide: () => void) => {
    Reflect.deleteProperty(response, 'headersSent')
    decide()
    if (state === 'open') for (const call of waiting) call()
    if (!response.writableEnded && !response.writableNeedDrain) response.emit('drain')
  }
  const ask = () => {
    const check = guarded.ensureLive()
    if (check === undefined) return open()
    state = 'asking'
    // Nobody may think that he can still change the head.
    Object.defineProperty(response, 'headersSent', { value: true, configurable: true })
    check
      .then(
        () => settle(open),
        error => settle(() => refuse(error)),
      )
      .catch(error => response.destroy(error))
  }
  const decide = () => {
    try {
      ask()
    } catch (error) {
      refuse(error)
    }
  }
  for (const name of METHODS) {
    const own: Call = response[name].bind(response)
    const call: Call = (...given) => {
      const parameters = name === 'writeHead' && state === 'held' ? takeHeaders(response, given) : given
      if (state === 'held') decide()
      if (state === 'open') return own(...parameters)
      if (state === 'asking') waiting.push(() => own(...parameters))
      else callBack(parameters)
      return resultOf(name, response, state)
    }
    Object.assign(response, { [name]: call })
  }
}

/** Headers that came with the status are set one by one, as Node itself does where there are others: they can be looked at then. */
function takeHeaders(response: ServerResponse, parameters: readonly unknown[]): unknown[] {
  const last = parameters.at(-1)
  if (typeof last !== 'object' || last === null) return [...parameters]
  if (Array.isArray(last)) setHeaders(headersOfNode(response), last.flat().map(String))
  else for (const [name, value] of Object.entries(last)) response.setHeader(name, value)
  return parameters.slice(0, -1)
}

/** Who waits for what was written and thrown away need not wait. */
function callBack(parameters: readonly unknown[]): void {
  const last = parameters.at(-1)
  if (typeof last === 'function') process.nextTick(last as () => void)
}

/** `write` says whether more may come at once, `flushHeaders` nothing, the others give the response. */
function resultOf(name: Method, response: ServerResponse, state: string): unknown {
  if (name === 'write') return state === 'refused'
  return name === 'flushHeaders' ? undefined : response
}
