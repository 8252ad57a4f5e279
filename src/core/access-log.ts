/**
 * The request log: one preformatted line per request, written in batches. Built by hand because a logger's general path costs
 * many times as much; a path is shown without its query, where tokens travel.
 */

import { escapeControls, scrubText } from './scrub.ts'

export interface AccessLogOptions {
  /** Takes whole lines; default standard output. */
  readonly destination?: { write(lines: string): unknown }
  /** Milliseconds a line may wait; default 20. */
  readonly flushMs?: number
  /** Characters that are written at once; default 8,192. */
  readonly flushAt?: number
}

export interface AccessLog {
  /**
   * @param target      raw request target; the query is left out
   * @param durationMs  milliseconds
   */
  add(tenant: string | undefined, method: string, target: string, status: number, durationMs: number): void
  /** Writes what waits. Call it at the end of the process. */
  flush(): void
}

/** Paths of ordinary length in plain characters need neither scrubbing nor escaping. */
const PLAIN = /^[\w/.~:@-]{1,64}$/
const MAX_PATH = 512

export function createAccessLog(options: AccessLogOptions = {}): AccessLog {
  const destination = options.destination ?? process.stdout
  const flushMs = options.flushMs ?? 20
  const flushAt = options.flushAt ?? 8_192
  let waiting = ''
  let timer: NodeJS.Timeout | undefined
  let second = 0
  let secondText = ''

  const flush = () => {
    clearTimeout(timer)
    timer = undefined
    if (waiting === '') return
    const lines = waiting
    waiting = ''
    destination.write(lines)
  }
  // Formatting a date costs more than the rest of the line; the seconds of many lines are the same.
  const timeText = () => {
    const now = Date.now()
    const nowSecond = Math.floor(now / 1000)
    if (nowSecond !== second) {
      second = nowSecond
      secondText = new Date(nowSecond * 1000).toISOString().slice(0, 20)
    }
    return `${secondText}${String(now % 1000).padStart(3, '0')}Z`
  }
  return {
    add(tenant, method, target, status, durationMs) {
      const tenantPart = tenant === undefined ? '' : `,"tenant":${quote(tenant)}`
      waiting +=
        `{"level":"info","time":"${timeText()}","event":"request"${tenantPart},"method":${quote(method)},` +
        `"path":${quote(pathOf(target))},"status":${status},"ms":${Math.round(durationMs * 1000) / 1000}}\n`
      if (waiting.length >= flushAt) flush()
      else timer ??= setTimeout(flush, flushMs)
    },
    flush,
  }
}

function pathOf(target: string): string {
  const end = target.search(/[?#]/)
  return (end < 0 ? target : target.slice(0, end)).slice(0, MAX_PATH)
}

const quote = (text: string): string =>
  PLAIN.test(text) && !text.includes('ey') ? `"${text}"` : escapeControls(JSON.stringify(scrubText(text)))
