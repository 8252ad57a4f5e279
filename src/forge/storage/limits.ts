/** Limits of Forge's storage (protocol s. 7.3; documentation of 2026-10). An operator may give others. */

export interface StorageLimits {
  readonly keyCharacters: number
  /** Bytes of a value as JSON. */
  readonly valueBytes: number
  readonly depth: number
  readonly pageRows: number
  readonly defaultPageRows: number
  readonly conditions: number
  readonly transactionOperations: number
  readonly batchKeys: number
  /** Bytes of one batch or transaction. */
  readonly groupBytes: number
  readonly rangeBytes: number
  readonly partitionBytes: number
  readonly ttlSeconds: number
  /** Requests a second of one installation, and its burst. */
  readonly requestsPerSecond: number
}

export const FORGE_LIMITS: StorageLimits = {
  keyCharacters: 500,
  valueBytes: 240 * 1024,
  depth: 31,
  pageRows: 100,
  defaultPageRows: 10,
  conditions: 100,
  transactionOperations: 25,
  batchKeys: 25,
  groupBytes: 4 * 1024 * 1024,
  rangeBytes: 900,
  partitionBytes: 1_700,
  ttlSeconds: 365 * 24 * 3600,
  requestsPerSecond: 1_000,
}
