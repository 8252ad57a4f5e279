/**
 * Web triggers over HTTP: `/x1/<id>` and `/public/<id>`, with anything behind. The id alone says whose call it is; an id of nobody
 * and one whose installation is gone get the same answer. (Forge protocol s. 5.1.)
 */

import type { TenantContext } from '../../core/context.ts'
import { PartywallError } from '../../core/errors.ts'
import type { Clock, Logger } from '../../core/ports.ts'
import type { JsonObject, JsonValue } from '../../core/tenant.ts'
import type { Answer, RoutedRequest } from '../../http/view.ts'
import { recordOf } from '../answers.ts'
import type { WebTriggerModule } from '../manifest/types.ts'
import { isAppError, type Runner } from '../platform/runner.ts'
import { timeoutOf } from './timeouts.ts'
import type { WebTriggerUrls } from './web-trigger-urls.ts'

export interface WebTriggerRouteParts {
  readonly runner: Runner
  readonly urls: WebTriggerUrls
  readonly clock: Clock
  readonly logger: Logger
}

const MAX_BODY_BYTES = 5 * 1024 * 1024
const CALLS_PER_MINUTE = 7_000
const MINUTE_MS = 60_000
/** Of a connection, or made anew by whoever sends the answer. */
const NOT_PASSED = /^(?:connection|keep-alive|transfer-encoding|content-length|upgrade|trailer|te|proxy-.*)$/i
/** Addresses of all installations share one origin: a cookie of one would reach the others. */
const SHARED_ORIGIN = /^set-cookie$/i
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/** @returns the answer, within the context of the installation that the id claims; `undefined`: it has no such address */
export function createWebTriggerRoute({ runner, urls, clock, logger }: WebTriggerRouteParts) {
  const quota = createQuota(clock)
  return async (context: TenantContext, id: string, request: RoutedRequest): Promise<Answer | undefined> => {
    const moduleKey = await urls.find(context, id)
    const { manifest } = await runner.versionOf(context)
    const module = manifest.webTriggers.find(({ key }) => key === moduleKey)
    if (module === undefined) return undefined
    // Whoever cannot be checked is not let in.
    if (module.isSigned || !('functionKey' in module.target)) throw new PartywallError('ERR_FORGE_NOT_SIMULATED')
    const limits = quota.take(context.tenantUid)
    if (limits.remaining < 0) return { status: 429, headers: limitHeaders(limits), body: '' }
    const { functionKey } = module.target
    try {
      const value = await runner.run(context, {
        moduleType: 'webtrigger',
        moduleKey: module.key,
        functionKey,
        payload: await payloadOf(id, request),
        timeoutMs: timeoutOf(manifest, functionKey, 'webtrigger'),
      })
      return answerOf(module, value, limitHeaders(limits))
    } catch (error) {
      // Whoever called learns nothing of the app's insides.
      if (!isAppError(error)) throw error
      logger.warn('forge-web-trigger-failed', { tenant: context.identity.externalId, trigger: module.key, error })
      throw new PartywallError('ERR_FORGE_FUNCTION', { cause: error })
    }
  }
}

async function payloadOf(id: string, { view, path, query }: RoutedRequest): Promise<JsonObject> {
  const body = await view.body(MAX_BODY_BYTES)
  const headers = Object.fromEntries(view.headerNames().map(name => [name, [...view.headerValues(name)]]))
  return {
    method: view.method,
    path,
    userPath: path.slice(path.indexOf(id) + id.length),
    headers,
    queryParameters: queryOf(query),
    body: body.toString('utf8'),
  }
}

/** Each name with all its values; a value with commas is several. */
function queryOf(query: string): JsonObject {
  const found: Record<string, string[]> = Object.create(null)
  for (const [name, value] of new URLSearchParams(query)) found[name] = [...(found[name] ?? []), ...value.split(',')]
  return found
}

function answerOf(module: WebTriggerModule, value: JsonValue | undefined, further: readonly string[]): Answer {
  const made = module.response.type === 'static' ? staticOf(module.response.outputs, value) : value
  const { statusCode, headers, body } = recordOf(made)
  const isStatus = Number.isInteger(statusCode) && (statusCode as number) >= 200 && (statusCode as number) <= 599
  if (!isStatus || !(body === undefined || body === null || typeof body === 'string')) {
    throw new PartywallError('ERR_FORGE_FUNCTION', { message: 'the web trigger returned no answer that could be sent' })
  }
  return {
    status: statusCode as number,
    headers: [...headersOf(headers), ...further, ...SANDBOXED],
    body: (body as string | null | undefined) ?? '',
  }
}

function staticOf(
  outputs: Extract<WebTriggerModule['response'], { type: 'static' }>['outputs'],
  value: JsonValue | undefined,
): unknown {
  const output = outputs.find(({ key }) => key === recordOf(value).outputKey)
  if (output === undefined) return undefined
  const { statusCode, contentType, body } = output
  return { statusCode, body, ...(contentType === undefined ? {} : { headers: { 'content-type': [contentType] } }) }
}

function headersOf(given: unknown): string[] {
  return Object.entries(recordOf(given)).flatMap(([name, values]) => {
    if (!HEADER_NAME.test(name) || NOT_PASSED.test(name) || SHARED_ORIGIN.test(name)) return []
    return [values].flat().flatMap(value => {
      const text = String(value)
      return HEADER_VALUE.test(text) ? [name.toLowerCase(), text] : []
    })
  })
}

/** What a tenant's function sends is no page of ours: it gets an origin of its own, and is what it says it is. */
const SANDBOXED = [
  'content-security-policy',
  'sandbox allow-forms allow-popups allow-scripts',
  'x-content-type-options',
  'nosniff',
]

interface Limits {
  readonly remaining: number
  readonly resetAt: number
}

const limitHeaders = ({ remaining, resetAt }: Limits): string[] => [
  'x-ratelimit-limit',
  String(CALLS_PER_MINUTE),
  'x-ratelimit-remaining',
  String(Math.max(0, remaining)),
  'x-ratelimit-reset',
  new Date(resetAt).toISOString(),
]

/** Calls of an installation in the minute that runs. */
function createQuota(clock: Clock) {
  let minute = 0
  let calls = new Map<string, number>()
  return {
    take(tenant: string): Limits {
      const now = Math.floor(clock.now() / MINUTE_MS)
      if (now !== minute) {
        minute = now
        calls = new Map()
      }
      const count = (calls.get(tenant) ?? 0) + 1
      calls.set(tenant, count)
      return { remaining: CALLS_PER_MINUTE - count, resetAt: (minute + 1) * MINUTE_MS }
    },
  }
}
