/** The logger: one event, one JSON line, secrets scrubbed whatever they came in. pino writes; nothing else here knows pino. */

import { type DestinationStream, pino } from 'pino'
import type { LogFields, Logger } from './ports.ts'
import { escapeControls, scrub, scrubText } from './scrub.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

export interface LoggerOptions {
  /** Default `info`. */
  readonly level?: LogLevel
  /** Takes whole lines, each with its `\n`; default standard output. */
  readonly destination?: { write(line: string): unknown }
}

const LEVELS: readonly string[] = ['debug', 'info', 'warn', 'error', 'silent']

/**
 * @throws TypeError for an unknown level
 * @example createLogger({ level: 'info' }).warn('token-refused', { tenant: tenant.id, error })
 */
export function createLogger(options: LoggerOptions = {}): Logger {
  const level = options.level ?? 'info'
  if (!LEVELS.includes(level)) throw new TypeError(`log level ${String(level)}: one of ${LEVELS.join(', ')} expected`)
  const destination = options.destination ?? process.stdout
  const stream: DestinationStream = { write: line => void destination.write(`${escapeControls(line.slice(0, -1))}\n`) }
  const target = pino(
    {
      level,
      base: null,
      messageKey: 'event',
      formatters: { level: label => ({ level: label }) },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
    },
    stream,
  )
  const write = (at: Exclude<LogLevel, 'silent'>) => (event: string, fields?: LogFields) => {
    if (!target.isLevelEnabled(at)) return
    target[at](fields === undefined ? {} : safeFields(fields), scrubText(event))
  }
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
}

/** Names pino writes itself stay its own, so that a field cannot forge time, level or event. */
function safeFields(fields: LogFields): object {
  const { level, time, event, ...others } = scrub(fields) as Record<string, unknown>
  const clashing = Object.entries({ level, time, event }).filter(([, value]) => value !== undefined)
  return clashing.length === 0 ? others : { ...others, fields: Object.fromEntries(clashing) }
}
