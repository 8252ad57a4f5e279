import assert from 'node:assert/strict'
import { type ErrorCode, isPartywallError, type PartywallError } from '../../src/core/errors.ts'

/** Expects a coded error and gives it back for a closer look. */
export async function rejection(promise: Promise<unknown>, code: ErrorCode): Promise<PartywallError> {
  try {
    await promise
  } catch (error) {
    if (!isPartywallError(error)) throw error
    assert.equal(error.code, code, error.message)
    return error
  }
  assert.fail(`expected ${code}`)
}
