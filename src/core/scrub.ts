/**
 * Takes secrets out of what is about to be logged: by the name of a field, and by the look of a text. A second line of defence:
 * code must not log secrets, and what libraries and hosts put into error messages passes through here.
 */

const REDACTED = '[redacted]'
const MAX_TEXT = 8_192
const MAX_DEPTH = 6
const MAX_ENTRIES = 100

const SECRET_WORDS =
  'secret|token|passw(?:or)?d|passphrase|jwt|signed_?request|authorization|cookie|api[_-]?key|private[_-]?key|data[_-]?key|session[_-]?key|credential|assertion|acpt|signature'
const SECRET_NAME = new RegExp(SECRET_WORDS, 'i')

// Each pattern starts only at the beginning of a run and has bounded repeats in front, so that matching stays linear.
const TOKEN_RUN = /[A-Za-z0-9_-]{10,}(?:(?:\.|%2[eE])[A-Za-z0-9_-]*)*/g
const SCHEME = /\b(bearer|basic|jwt)((?:\s|%20|\+){1,8}(?:token=)?"?)[^\s"',;]+/gi
const NAMED = new RegExp(
  `(?<![\\w-])(?!ERR_)([\\w-]{0,40}?(?:${SECRET_WORDS})[\\w-]{0,40}` +
    `(?:\\\\?["']|%22|\\])?\\s{0,4}(?:=>|=|:|%3[dDaA])\\s{0,4})` +
    // A quoted value ends at its quote, also where it is not closed; a bare one at the first delimiter.
    `(?:\\\\"[^"]*"?|"(?:[^"\\\\]|\\\\.)*"?|'[^']*'?|(?:(?:bearer|basic|jwt)\\s{1,4})?[^\\s&,;"'\\\\})]+)`,
  'gi',
)
/** `{"` and `{` with blanks, in base64: how a JOSE header begins. */
const JOSE_START = /e[wy][A-Za-z0-9_-]{8,}/
// Characters that end a line or turn the reading direction, and terminal controls JSON does not escape.
// biome-ignore lint/suspicious/noControlCharactersInRegex: finding control characters is the purpose
const UNSAFE_CHARACTERS = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g

/**
 * A text without what looks like a token, a credential or the value of a secret field; longer than 8,192 characters it is cut.
 * @example scrubText('GET /page?jwt=abc&x=1') // 'GET /page?jwt=[redacted]&x=1'
 */
export function scrubText(text: string): string {
  const bounded = text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}...` : text
  return bounded
    .replace(SCHEME, `$1$2${REDACTED}`)
    .replace(NAMED, `$1${REDACTED}`)
    .replace(TOKEN_RUN, run => (looksSecret(run) ? REDACTED : run))
}

/** A copy of plain data in which nothing secret is left: bounded in depth, width and length, safe against cycles and getters. */
export const scrub = (value: unknown): unknown => scrubValue(value, '', 0, new Set())

/** Writes control characters, line separators and direction marks as `\uXXXX`, so that one event stays one line. */
export const escapeControls = (text: string): string =>
  text.replace(UNSAFE_CHARACTERS, character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)

/** A JWS, whole or cut; or a long run as random as a shared secret: both cases, digits, no words. */
function looksSecret(run: string): boolean {
  if (run.startsWith('ERR_')) return false
  const jose = JOSE_START.exec(run)
  if (jose !== null && (/\.|%2e/i.test(run) || jose[0].startsWith('eyJ'))) return true
  return run
    .split(/\.|%2e/i)
    .some(part => part.length >= 32 && /\d/.test(part) && /[a-z]/.test(part) && /[A-Z]/.test(part))
}

function scrubValue(value: unknown, name: string, depth: number, ancestors: Set<object>): unknown {
  if (value === null || value === undefined || typeof value === 'boolean' || typeof value === 'number') return value
  if (SECRET_NAME.test(name)) return REDACTED
  if (typeof value === 'string') return scrubText(value)
  if (typeof value !== 'object') return typeof value === 'bigint' ? value.toString() : `[${typeof value}]`
  if (ancestors.has(value)) return '[circular]'
  if (depth >= MAX_DEPTH) return '[deep]'
  ancestors.add(value)
  try {
    return scrubObject(value, depth, ancestors)
  } catch (error) {
    return `[unreadable: ${error instanceof Error ? error.name : typeof error}]`
  } finally {
    ancestors.delete(value)
  }
}

function scrubObject(value: object, depth: number, ancestors: Set<object>): unknown {
  if (value instanceof Error) return scrubError(value, depth, ancestors)
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString()
  if (value instanceof URL) return scrubText(value.href)
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`
  if (value instanceof Map || value instanceof Set) return `[${value.constructor.name} of ${value.size}]`
  if (Array.isArray(value)) {
    return value.slice(0, MAX_ENTRIES).map(item => scrubValue(item, '', depth + 1, ancestors))
  }
  const copy: Record<string, unknown> = Object.create(null)
  for (const key of Object.keys(value).slice(0, MAX_ENTRIES)) {
    copy[scrubText(key)] = scrubValue((value as Record<string, unknown>)[key], key, depth + 1, ancestors)
  }
  return copy
}

/** Only what an error is made of: libraries hang requests, rows and queries on their errors. */
function scrubError(error: Error, depth: number, ancestors: Set<object>): Record<string, unknown> {
  const { code, details, errors } = error as { code?: unknown; details?: unknown; errors?: unknown }
  const copy: Record<string, unknown> = {
    name: scrubText(String(error.name)),
    message: scrubText(String(error.message)),
  }
  if (typeof code === 'string' || typeof code === 'number')
    copy.code = typeof code === 'string' ? scrubText(code) : code
  if (details !== undefined) copy.details = scrubValue(details, '', depth + 1, ancestors)
  if (error.cause !== undefined) copy.cause = scrubValue(error.cause, '', depth + 1, ancestors)
  if (Array.isArray(errors)) copy.errors = scrubValue(errors, '', depth + 1, ancestors)
  if (typeof error.stack === 'string') copy.stack = scrubText(error.stack)
  return copy
}
