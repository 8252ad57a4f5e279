/** What every kind of invocation works with, and what a retry is. Types and small helpers; the kinds have files of their own. */

import type { TenantContext } from '../../core/context.ts'
import { isPartywallError } from '../../core/errors.ts'
import type { Jobs, Logger, Random } from '../../core/ports.ts'
import type { TenantStore } from '../../core/store.ts'
import type { JsonValue } from '../../core/tenant.ts'
import { recordOf } from '../answers.ts'
import type { Runner } from '../platform/runner.ts'
import type { ForgeTime } from './time.ts'

export interface InvocationParts {
  readonly runner: Runner
  readonly jobs: Jobs
  readonly time: ForgeTime
  readonly random: Random
  readonly logger: Logger
  /** Names of the handlers that run what is enqueued. */
  readonly handlers: { readonly event: string; readonly trigger: string; readonly schedule: string }
  /** What the platform itself keeps of an installation; an app's code never reaches it. */
  readonly stateOf: (context: TenantContext) => TenantStore
}

export type RetryReason =
  | 'FUNCTION_RETRY_REQUEST'
  | 'FUNCTION_UPSTREAM_RATE_LIMITED'
  | 'FUNCTION_OUT_OF_MEMORY'
  | 'FUNCTION_TIME_OUT'
  | 'FUNCTION_PLATFORM_RATE_LIMITED'
  | 'FUNCTION_PLATFORM_UNKNOWN_ERROR'

/** What one attempt hands to the next. */
export interface Retry {
  readonly count: number
  readonly reason: RetryReason
  readonly data: JsonValue
}

/** An app asks for another attempt by what it returns (protocol s. 9). */
export interface AskedRetry {
  readonly afterSeconds: number
  readonly reason: RetryReason
  readonly data: JsonValue
}

const MAX_RETRY_AFTER_SECONDS = 900
const MAX_RETRY_DATA_BYTES = 4096
const APP_REASONS: readonly RetryReason[] = [
  'FUNCTION_RETRY_REQUEST',
  'FUNCTION_UPSTREAM_RATE_LIMITED',
  'FUNCTION_OUT_OF_MEMORY',
  'FUNCTION_TIME_OUT',
]

/** `undefined` where the value asks for none. Data that is too long is left out: the attempt counts all the same. */
export function askedRetryOf(value: JsonValue | undefined): AskedRetry | undefined {
  const { _retry: isAsked, retryOptions } = recordOf(value)
  if (isAsked !== true) return undefined
  const { retryAfter, retryReason, retryData } = recordOf(retryOptions)
  const seconds = typeof retryAfter === 'number' && retryAfter >= 0 ? retryAfter : 0
  const data = (retryData ?? null) as JsonValue
  return {
    afterSeconds: Math.min(MAX_RETRY_AFTER_SECONDS, seconds),
    reason: APP_REASONS.find(reason => reason === retryReason) ?? 'FUNCTION_RETRY_REQUEST',
    data: Buffer.byteLength(JSON.stringify(data)) > MAX_RETRY_DATA_BYTES ? null : data,
  }
}

/** Why a call failed, where that is the app's doing; `undefined`: the platform's, whose work is simply tried again. */
export function failureOf(error: unknown): RetryReason | undefined {
  if (!isPartywallError(error) || error.fault === 'us' || error.code === 'ERR_TENANT_REVOKED') return undefined
  switch (error.code) {
    case 'ERR_SANDBOX_MEMORY':
      return 'FUNCTION_OUT_OF_MEMORY'
    case 'ERR_SANDBOX_TIMEOUT':
    case 'ERR_SANDBOX_CPU':
      return 'FUNCTION_TIME_OUT'
    case 'ERR_SANDBOX_BUSY':
    case 'ERR_SANDBOX_BACKOFF':
      return 'FUNCTION_PLATFORM_RATE_LIMITED'
    default:
      return 'FUNCTION_PLATFORM_UNKNOWN_ERROR'
  }
}
