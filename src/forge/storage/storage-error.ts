/** What storage refuses: the platform's own codes and statuses, which the SDK hands to the app (Forge protocol s. 7.2). */

export type StorageCode =
  | 'KEY_NOT_FOUND'
  | 'EMPTY_KEY'
  | 'KEY_TOO_LONG'
  | 'INVALID_KEY'
  | 'MAX_SIZE'
  | 'MAX_DEPTH'
  | 'INVALID_ENTITY_TYPE'
  | 'INVALID_ENTITY_VALUE'
  | 'INVALID_ENTITY_ATTRIBUTE'
  | 'INVALID_ENTITY_INDEX'
  | 'INVALID_FILTER_CONDITION'
  | 'INVALID_FILTER_VALUES'
  | 'LIST_QUERY_LIMIT_EXCEEDED'
  | 'QUERY_WHERE_INVALID'
  | 'QUERY_WHERE_FIELD_INVALID'
  | 'COMPLEX_QUERY_PAGE_LIMIT_NOT_IN_RANGE'
  | 'INVALID_KEY_POLICY_RETURN_VALUE_COMBINATION'
  | 'INVALID_TRANSACTION_REQUEST'
  | 'INVALID_BATCH_REQUEST'
  | 'INVALID_CURSOR'
  | 'INVALID_REQUEST'
  | 'INVALID_TTL'
  | 'CONDITIONAL_CHECK_FAILED'
  | 'KEY_CONFLICT'
  | 'RATE_LIMIT_EXCEEDED'

const STATUSES: Partial<Record<StorageCode, number>> = {
  KEY_NOT_FOUND: 404,
  KEY_CONFLICT: 409,
  RATE_LIMIT_EXCEEDED: 429,
}

export class StorageError extends Error {
  readonly code: StorageCode
  readonly status: number

  constructor(code: StorageCode, message: string) {
    super(message)
    this.name = 'StorageError'
    this.code = code
    this.status = STATUSES[code] ?? 400
  }
}
