/** Limits and times of the dispatcher. One object, so that tests and large deployments can turn each. */

export interface JobSettings {
  /** Handlers that run at a time in this process. */
  readonly concurrency: number
  /** Of one tenant. */
  readonly concurrencyPerTenant: number
  /** Deliveries of one tenant that may wait in memory; more wait in the database. */
  readonly waitingPerTenant: number
  readonly pollMs: number
  /** How long a row is held without a sign of life; a process that is gone is noticed sooner, by its session. */
  readonly leaseSeconds: number
  readonly handlerTimeoutMs: number
  readonly maxAttempts: number
  /** First wait after a failure; doubles, with jitter, up to `backoffMaxMs`. */
  readonly backoffMs: number
  readonly backoffMaxMs: number
  /** How long the keys of a finished delivery are kept at least, against a host that sends it again. */
  readonly keepSeconds: number
}

export const JOB_SETTINGS: JobSettings = {
  concurrency: 64,
  concurrencyPerTenant: 16,
  waitingPerTenant: 64,
  pollMs: 1000,
  leaseSeconds: 60,
  handlerTimeoutMs: 60_000,
  maxAttempts: 8,
  backoffMs: 1000,
  backoffMaxMs: 600_000,
  keepSeconds: 86_400,
}

/** Wait before attempt `attempt + 1`, milliseconds: exponential with full jitter in its upper half. */
export function backoffOf(settings: JobSettings, attempt: number, random: number): number {
  const ceiling = Math.min(settings.backoffMaxMs, settings.backoffMs * 2 ** Math.max(0, attempt - 1))
  return ceiling / 2 + (ceiling / 2) * random
}
