/**
 * Every error Partywall raises on purpose: one registry of codes, one class.
 *
 * A code says who is at fault (`fault`), which HTTP status answers it (`status`) and one safe sentence (`message`) that a
 * caller may see. Tokens, secrets, bodies and personal data never go into a message or into `details`.
 * `docs/reference/errors.md` has one section per code; a test holds the two equal.
 */

export type Fault = 'caller' | 'app' | 'host' | 'us'

interface ErrorDefinition {
  readonly status: number
  readonly fault: Fault
  readonly message: string
}

const define = <const T extends Record<string, ErrorDefinition>>(table: T): T => table

export const ERRORS = define({
  // Tokens and authentication: one status and one sentence, so that an answer tells nothing about which check failed.
  ERR_TOKEN_MISSING: { status: 401, fault: 'caller', message: 'Authentication is required.' },
  ERR_TOKEN_AMBIGUOUS: { status: 401, fault: 'caller', message: 'Authentication failed.' },
  ERR_TOKEN_MALFORMED: { status: 401, fault: 'caller', message: 'Authentication failed.' },
  ERR_TOKEN_ALGORITHM: { status: 401, fault: 'caller', message: 'Authentication failed.' },
  ERR_TOKEN_SIGNATURE: { status: 401, fault: 'caller', message: 'Authentication failed.' },
  ERR_TOKEN_CLAIMS: { status: 401, fault: 'caller', message: 'Authentication failed.' },
  ERR_TOKEN_EXPIRED: { status: 401, fault: 'caller', message: 'Authentication failed.' },
  ERR_TOKEN_NOT_YET_VALID: { status: 401, fault: 'caller', message: 'Authentication failed.' },
  ERR_TOKEN_AUDIENCE: { status: 401, fault: 'caller', message: 'Authentication failed.' },
  ERR_TOKEN_TYPE: { status: 401, fault: 'caller', message: 'Authentication failed.' },
  ERR_TOKEN_REPLAYED: { status: 401, fault: 'caller', message: 'Authentication failed.' },
  ERR_QSH_MISSING: { status: 401, fault: 'caller', message: 'Authentication failed.' },
  ERR_QSH_MISMATCH: { status: 401, fault: 'caller', message: 'Authentication failed.' },
  ERR_SESSION_ENDED: { status: 401, fault: 'caller', message: 'Authentication failed.' },
  ERR_TENANT_UNKNOWN: { status: 401, fault: 'caller', message: 'Authentication failed.' },
  ERR_TENANT_DISABLED: { status: 401, fault: 'caller', message: 'Authentication failed.' },
  ERR_TENANT_MISMATCH: { status: 401, fault: 'caller', message: 'Authentication failed.' },

  // Lifecycle.
  ERR_INSTALL_INVALID: { status: 400, fault: 'caller', message: 'The installation document is not valid.' },
  ERR_INSTALL_HOST_REFUSED: { status: 403, fault: 'caller', message: 'Installations from this host are not accepted.' },
  ERR_INSTALLABLE_GONE: {
    status: 410,
    fault: 'caller',
    message: 'The address of this installation was good once only. Install again from the host.',
  },
  ERR_REDIRECT_REFUSED: {
    status: 400,
    fault: 'caller',
    message: 'The browser can be sent back only to the host of the installation.',
  },
  ERR_INSTALL_DOCUMENT_INVALID: {
    status: 400,
    fault: 'host',
    message: "The host's capabilities document is not valid.",
  },
  ERR_INSTALL_TOKEN_REFUSED: { status: 403, fault: 'caller', message: 'The host does not honour these credentials.' },
  ERR_INSTALL_GROUP_MISMATCH: { status: 403, fault: 'caller', message: 'The group does not match what the host says.' },
  ERR_INSTALL_CONFLICT: {
    status: 409,
    fault: 'caller',
    message: 'This installation belongs to another host or has other credentials.',
  },
  ERR_UNINSTALL_REFUSED: { status: 403, fault: 'caller', message: 'The host still honours this installation.' },
  ERR_INSTALLATION_UNKNOWN: { status: 404, fault: 'caller', message: 'No such installation.' },
  ERR_IMPORT_SOURCE: { status: 503, fault: 'host', message: 'The store to import from cannot be read.' },
  ERR_LIFECYCLE_STALE: { status: 409, fault: 'caller', message: 'A newer event has been accepted already.' },
  ERR_TENANT_HELD: {
    status: 503,
    fault: 'us',
    message: 'This installation is being moved or erased. Try again later.',
  },

  // Tenant context and the wall.
  ERR_TENANT_CONTEXT_MISSING: { status: 500, fault: 'app', message: 'No tenant is bound here.' },
  ERR_TENANT_CONTEXT_FOREIGN: {
    status: 500,
    fault: 'app',
    message: 'Something of one tenant was used in the context of another.',
  },
  ERR_TENANT_REVOKED: {
    status: 410,
    fault: 'host',
    message: 'The installation behind this work has ended or changed.',
  },
  ERR_TENANT_READ_ONLY: { status: 500, fault: 'app', message: 'This tenant can be read only here.' },
  ERR_WALL_UNSAFE_ROLE: {
    status: 500,
    fault: 'app',
    message: 'The database login could pass the wall between tenants.',
  },
  ERR_WALL_NOT_BOUND: { status: 500, fault: 'us', message: 'The statement ran without a tenant and was refused.' },

  // Storage.
  ERR_KEY_INVALID: { status: 400, fault: 'caller', message: 'The key is not valid.' },
  ERR_SCOPE_INVALID: { status: 400, fault: 'caller', message: 'The scope is not valid.' },
  ERR_VALUE_INVALID: { status: 400, fault: 'caller', message: 'The value cannot be stored as JSON.' },
  ERR_VALUE_TOO_LARGE: { status: 413, fault: 'caller', message: 'The value is too large.' },
  ERR_LIMIT_INVALID: { status: 400, fault: 'caller', message: 'The limit is not valid.' },
  ERR_TTL_INVALID: { status: 400, fault: 'caller', message: 'The time to live is not valid.' },
  ERR_CURSOR_INVALID: { status: 400, fault: 'caller', message: 'The cursor is not valid here.' },
  ERR_VERSION_INVALID: { status: 400, fault: 'caller', message: 'The version is not valid.' },
  ERR_VERSION_CONFLICT: { status: 409, fault: 'caller', message: 'The value has changed in the meantime.' },
  ERR_UPDATE_REENTRANT: { status: 500, fault: 'app', message: 'The change of a key updates the same key.' },
  ERR_RESULT_TOO_LARGE: { status: 413, fault: 'app', message: 'The result is too large. Read it page by page.' },
  ERR_UPDATE_CONTENTION: { status: 503, fault: 'us', message: 'The value changes too often. Try again later.' },

  // The database.
  ERR_STORE_UNAVAILABLE: { status: 503, fault: 'us', message: 'The store cannot be reached. Try again later.' },
  ERR_STORE_TIMEOUT: { status: 503, fault: 'us', message: 'The store took too long. Try again later.' },
  ERR_STORE_FULL: { status: 503, fault: 'us', message: 'The store has no room. Try again later.' },
  ERR_STATEMENT_REFUSED: { status: 500, fault: 'app', message: 'The database refused a statement.' },
  ERR_DATABASE_TOO_NEW: {
    status: 500,
    fault: 'app',
    message: 'The database was made by a newer version of Partywall.',
  },
  ERR_DATABASE_TOO_OLD: { status: 500, fault: 'app', message: 'PostgreSQL 15 or newer is needed.' },
  ERR_DATABASE_NOT_PREPARED: { status: 500, fault: 'app', message: 'The database has not been prepared.' },
  ERR_MIGRATION_CHANGED: {
    status: 500,
    fault: 'app',
    message: 'A migration that has run differs from the one shipped.',
  },
  ERR_EMBEDDED_UNAVAILABLE: { status: 500, fault: 'app', message: 'The embedded database cannot be started here.' },
  ERR_EMBEDDED_MAJOR: {
    status: 500,
    fault: 'app',
    message: 'The data folder was made by another major version of PostgreSQL.',
  },

  // Keys.
  ERR_KEYS_MISSING: { status: 500, fault: 'app', message: 'No key-encryption key is configured.' },
  ERR_KEYS_INVALID: { status: 500, fault: 'app', message: 'A key-encryption key is not valid.' },
  ERR_KEY_UNKNOWN: { status: 500, fault: 'app', message: 'A secret is sealed with a key that is not configured.' },
  ERR_SEAL_BROKEN: { status: 500, fault: 'us', message: 'A sealed secret cannot be opened.' },

  // Outbound calls.
  ERR_OUTBOUND_URL: { status: 400, fault: 'caller', message: 'The address is not valid.' },
  ERR_OUTBOUND_REFUSED: { status: 403, fault: 'caller', message: 'Calls to this address are not allowed.' },
  ERR_OUTBOUND_UNREACHABLE: { status: 503, fault: 'host', message: 'The host cannot be reached. Try again later.' },
  ERR_OUTBOUND_TIMEOUT: { status: 503, fault: 'host', message: 'The host took too long. Try again later.' },
  ERR_OUTBOUND_TOO_LARGE: { status: 503, fault: 'host', message: 'The answer of the host is too large.' },
  ERR_HOST_TOKEN_REFUSED: { status: 403, fault: 'host', message: 'The host refused a token.' },
  ERR_HOST_RESPONSE: { status: 503, fault: 'host', message: 'The host gave an answer that was not expected.' },
  ERR_HOST_RATE_LIMITED: { status: 503, fault: 'host', message: 'The host limits the rate of calls. Try again later.' },
  ERR_CALL_INVALID: { status: 400, fault: 'app', message: 'The call to the host is not valid.' },
  ERR_ACT_AS_USER_UNAVAILABLE: {
    status: 403,
    fault: 'host',
    message: 'This installation does not let the app act as its users.',
  },
  ERR_PERMISSION_MISSING: { status: 403, fault: 'caller', message: 'You do not have the permission for this.' },
  ERR_SCOPE_UNDECLARED: { status: 403, fault: 'app', message: 'The descriptor does not declare this scope.' },

  // HTTP surface.
  ERR_NOT_FOUND: { status: 404, fault: 'caller', message: 'Not found.' },
  ERR_METHOD_NOT_ALLOWED: { status: 405, fault: 'caller', message: 'This method is not allowed here.' },
  ERR_REQUEST_TARGET: { status: 400, fault: 'caller', message: 'The request target is not valid.' },
  ERR_FRAMING: { status: 400, fault: 'caller', message: 'The framing of the request is not accepted.' },
  ERR_BODY_TOO_LARGE: { status: 413, fault: 'caller', message: 'The request body is too large.' },
  ERR_BODY_INVALID: { status: 400, fault: 'caller', message: 'The request body is not valid.' },
  ERR_BODY_TIMEOUT: { status: 408, fault: 'caller', message: 'The request body took too long.' },
  ERR_BODY_CONSUMED: { status: 500, fault: 'app', message: 'Another middleware has read the request body already.' },
  ERR_CONTENT_TYPE: { status: 415, fault: 'caller', message: 'This content type is not accepted.' },
  ERR_CONTENT_ENCODING: { status: 415, fault: 'caller', message: 'Compressed bodies are not accepted.' },
  ERR_RATE_LIMITED: { status: 429, fault: 'caller', message: 'Too many requests. Try again later.' },
  ERR_OVERLOADED: { status: 503, fault: 'us', message: 'Too busy. Try again later.' },
  ERR_SHUTTING_DOWN: { status: 503, fault: 'us', message: 'Shutting down. Try again later.' },
  ERR_HANDLER_FAILED: { status: 500, fault: 'app', message: 'The request could not be handled.' },
  ERR_INTERNAL: { status: 500, fault: 'us', message: 'Something went wrong.' },

  // Webhooks and jobs.
  ERR_WEBHOOK_INVALID: { status: 400, fault: 'caller', message: 'The delivery is not valid.' },
  ERR_HANDLER_UNKNOWN: { status: 500, fault: 'app', message: 'No handler has this name.' },
  ERR_HANDLER_TIMEOUT: { status: 500, fault: 'app', message: 'The handler took too long.' },
  ERR_JOB_INVALID: { status: 400, fault: 'app', message: 'The job is not valid.' },

  // Functions of tenants in the sandbox.
  ERR_SANDBOX_UNAVAILABLE: { status: 500, fault: 'app', message: 'There is no sandbox here to run functions in.' },
  ERR_SANDBOX_LOAD: { status: 500, fault: 'app', message: 'The code failed when it was loaded.' },
  ERR_SANDBOX_CALL: { status: 500, fault: 'app', message: 'The function failed.' },
  ERR_SANDBOX_TIMEOUT: { status: 504, fault: 'app', message: 'The function took too long.' },
  ERR_SANDBOX_CPU: { status: 500, fault: 'app', message: 'The function used too much processor time.' },
  ERR_SANDBOX_MEMORY: { status: 500, fault: 'app', message: 'The function used too much memory.' },
  ERR_SANDBOX_OUTPUT: { status: 500, fault: 'app', message: 'The function wrote too much.' },
  ERR_SANDBOX_REQUESTS: { status: 429, fault: 'app', message: 'The function has made all the requests it may.' },
  ERR_SANDBOX_EXITED: { status: 500, fault: 'app', message: 'The process of the function ended.' },
  ERR_SANDBOX_STOPPED: { status: 503, fault: 'us', message: 'The function was stopped.' },
  ERR_SANDBOX_BUSY: { status: 429, fault: 'caller', message: 'Too many calls are waiting.' },
  ERR_SANDBOX_BACKOFF: { status: 503, fault: 'app', message: 'The function has failed again and again; try later.' },
  ERR_SANDBOX_NO_CALL: { status: 400, fault: 'app', message: 'Nothing can be asked outside of a call.' },

  // Forge apps.
  ERR_FORGE_APP_FOLDER: { status: 500, fault: 'app', message: 'There is no Forge app in this folder.' },
  ERR_FORGE_MANIFEST: { status: 500, fault: 'app', message: 'The manifest is not valid.' },
  ERR_FORGE_BUNDLE: { status: 500, fault: 'app', message: 'The app cannot be bundled.' },
  ERR_FORGE_ENVIRONMENT_INVALID: {
    status: 400,
    fault: 'caller',
    message: 'This cannot be the name of an environment.',
  },
  ERR_FORGE_ENVIRONMENT_UNKNOWN: { status: 404, fault: 'caller', message: 'The app has no such environment.' },
  ERR_FORGE_VARIABLE_INVALID: { status: 400, fault: 'caller', message: 'The variable is not valid.' },
  ERR_FORGE_VERSION_MISSING: { status: 503, fault: 'us', message: 'The version of the app is not on this machine.' },
  ERR_FORGE_SITE_INVALID: { status: 400, fault: 'caller', message: 'The site is not valid.' },
  ERR_FORGE_FUNCTION: { status: 500, fault: 'app', message: 'The function of the app failed.' },
  ERR_FORGE_FUNCTION_UNKNOWN: { status: 404, fault: 'caller', message: 'The app has no such function.' },
  ERR_FORGE_MODULE_UNKNOWN: { status: 404, fault: 'caller', message: 'The app has no such module.' },
  ERR_FORGE_GUEST: { status: 400, fault: 'app', message: 'The request of the function is not valid.' },
  ERR_FORGE_LEAKS: { status: 500, fault: 'app', message: 'The app keeps what belongs to one tenant.' },
  ERR_FORGE_NOT_SIMULATED: { status: 501, fault: 'app', message: 'This part of Forge is not simulated.' },

  // Configuration: found at start, never at request time.
  ERR_CONFIG: { status: 500, fault: 'app', message: 'The configuration is not valid.' },
  ERR_PATTERN_UNSUPPORTED: { status: 500, fault: 'app', message: 'The pattern cannot run in linear time.' },
  ERR_DESCRIPTOR_INVALID: { status: 500, fault: 'app', message: 'The descriptor is not valid.' },
})

export type ErrorCode = keyof typeof ERRORS

export interface ErrorOptions {
  /** Says more than the registry's sentence; for logs and developers. Never a token, secret, body or personal data. */
  readonly message?: string
  readonly cause?: unknown
  /** Small facts for the log: names, counts, times. Same rule as for `message`. */
  readonly details?: Readonly<Record<string, string | number | boolean | undefined>>
  /** Seconds, for 429 and 503. */
  readonly retryAfterSeconds?: number
}

const brand = Symbol.for('partywall.error')

/** The one error class. `publicMessage` is what a caller sees; `message` is for developers and logs. */
export class PartywallError extends Error {
  readonly code: ErrorCode
  readonly status: number
  readonly fault: Fault
  readonly publicMessage: string
  readonly details: Readonly<Record<string, string | number | boolean | undefined>>
  readonly retryAfterSeconds: number | undefined
  readonly [brand] = true

  constructor(code: ErrorCode, options: ErrorOptions = {}) {
    const definition = ERRORS[code]
    super(options.message ?? definition.message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'PartywallError'
    this.code = code
    this.status = definition.status
    this.fault = definition.fault
    this.publicMessage = definition.message
    this.details = options.details ?? {}
    this.retryAfterSeconds = options.retryAfterSeconds
  }

  /** Where the reference explains this code. */
  get docs(): string {
    return `docs/reference/errors.md#${this.code.toLowerCase()}`
  }
}

/** True for errors of any loaded copy of this package; `code` narrows when given. */
export function isPartywallError<C extends ErrorCode>(value: unknown, code?: C): value is PartywallError & { code: C } {
  if (typeof value !== 'object' || value === null || !(brand in value)) return false
  return code === undefined || (value as PartywallError).code === code
}
