/**
 * Holds a response of Node back until its head is about to leave: only then is it known whether the tenant is still there, and
 * which headers his answer needs. Whatever writes it, and however (`send`, `pipe`, `writeHead`, a framework's error page),
 * an installation that ended meanwhile gets the refusal instead.
 */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { errorAnswer, PRIVATE_HEADERS } from './answers.ts'
import { headersOfNode, keepPrivate, setHeaders, setMissing } from './response-headers.ts'
import type { Guarded } from './view.ts'
import { writeAnswer } from './write-answer.ts'

const METHODS = ['writeHead', 'flushHeaders', 'write', 'end'] as const
type Method = (typeof METHODS)[number]
// biome-ignore lint/suspicious/noExplicitAny: passed on as they came
type Call = (...parameters: any[]) => unknown

/** Call once per guarded request, before anything of the response has been written. */
export function holdResponse(request: IncomingMessage, response: ServerResponse, guarded: Guarded<object>): void {
  const headers = headersOfNode(response)
  setHeaders(headers, PRIVATE_HEADERS)
  setMissing(headers, guarded.pageHeaders ?? [])
  const held = new HeldResponse(request, response, guarded)
  Object.defineProperty(response, HELD, { value: held, configurable: true })
  Object.assign(response, HELD_METHODS)
}

const HELD = Symbol('partywall.held')
type Held = ServerResponse & { readonly [HELD]: HeldResponse }

/** The same functions for all responses: made anew for each of them they cost more than they do. */
const HELD_METHODS = Object.fromEntries(
  METHODS.map(name => [
    name,
    function (this: Held, ...parameters: unknown[]) {
      return this[HELD].call(name, parameters)
    },
  ]),
)

class HeldResponse {
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #guarded: Guarded<object>
  /** `asking`: the registry is asked again, and what is written meanwhile waits. */
  #state: 'held' | 'asking' | 'open' | 'refused' = 'held'
  readonly #waiting: (() => unknown)[] = []
  /** The response's methods as they were before. */
  readonly #own: Readonly<Record<Method, Call>>

  constructor(request: IncomingMessage, response: ServerResponse, guarded: Guarded<object>) {
    this.#request = request
    this.#response = response
    this.#guarded = guarded
    const { writeHead, flushHeaders, write, end } = response
    this.#own = { writeHead, flushHeaders, write, end }
  }

  call(name: Method, given: readonly unknown[]): unknown {
    const own = (...parameters: readonly unknown[]) => this.#own[name].apply(this.#response, parameters as unknown[])
    let parameters = given
    if (this.#state === 'held') {
      if (name === 'writeHead') parameters = takeHeaders(this.#response, given)
      this.#decide()
    }
    if (this.#state === 'open') return own(...parameters)
    if (this.#state === 'asking') this.#waiting.push(() => own(...parameters))
    else callBack(parameters)
    // `write` says whether more may come at once.
    if (name === 'write') return this.#state === 'refused'
    return name === 'flushHeaders' ? undefined : this.#response
  }

  #decide(): void {
    try {
      const check = this.#guarded.ensureLive()
      if (check === undefined) this.#open()
      else this.#ask(check)
    } catch (error) {
      this.#refuse(error)
    }
  }

  #ask(check: Promise<void>): void {
    this.#state = 'asking'
    // Nobody may think that he can still change the head.
    Object.defineProperty(this.#response, 'headersSent', { value: true, configurable: true })
    check
      .then(
        () => this.#settle(() => this.#open()),
        error => this.#settle(() => this.#refuse(error)),
      )
      .catch(error => this.#response.destroy(error))
  }

  #settle(decide: () => void): void {
    Reflect.deleteProperty(this.#response, 'headersSent')
    decide()
    if (this.#state === 'open') for (const call of this.#waiting) call()
    // Whoever was told to wait with more is told to go on.
    if (!this.#response.writableEnded && !this.#response.writableNeedDrain) this.#response.emit('drain')
  }

  #open(): void {
    this.#state = 'open'
    const headers = headersOfNode(this.#response)
    keepPrivate(headers)
    setHeaders(headers, this.#guarded.headers())
  }

  #refuse(error: unknown): void {
    for (const name of this.#response.getHeaderNames()) this.#response.removeHeader(name)
    this.#state = 'open'
    writeAnswer(this.#request, this.#response, errorAnswer(error))
    this.#state = 'refused'
  }
}

/** Headers that came with the status are set one by one, as Node itself does where there are others: they can be looked at then. */
function takeHeaders(response: ServerResponse, parameters: readonly unknown[]): readonly unknown[] {
  const last = parameters.at(-1)
  if (typeof last !== 'object' || last === null) return parameters
  if (Array.isArray(last)) setHeaders(headersOfNode(response), last.flat().map(String))
  else for (const [name, value] of Object.entries(last)) response.setHeader(name, value)
  return parameters.slice(0, -1)
}

/** Who waits for what was written and thrown away need not wait. */
function callBack(parameters: readonly unknown[]): void {
  const last = parameters.at(-1)
  if (typeof last === 'function') process.nextTick(last as () => void)
}
