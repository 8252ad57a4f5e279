// For the tests of core/tokens: several processes over one store with a real lock, one clock, one host.
import assert from 'node:assert/strict'
import { type ErrorCode, isPartywallError } from '../../../src/core/errors.ts'
import { newIdentityUid, newTenantUid } from '../../../src/core/ids.ts'
import type { Logger, StoredToken, TokenStore } from '../../../src/core/ports.ts'
import { type IdentityRecord, IdentitySecrets } from '../../../src/core/tenant.ts'
import { createTokens } from '../../../src/core/tokens.ts'

const tenantUid = newTenantUid()
export const identity: IdentityRecord = {
  app: 'com.example.app',
  environment: 'production',
  dialect: 'hipchat',
  externalId: 'oauth-id',
  uid: newIdentityUid(),
  tenantUid,
  host: 'hipchat.example',
  state: 'installed',
  version: 1,
  secretVersion: 1,
  orderedAt: 0,
  attributes: {},
  region: 'default',
  hold: 'none',
  secrets: new IdentitySecrets(new Map()),
}
export const wanted = { scopes: ['send_notification'] }
export const refuses = (work: Promise<unknown>, code: ErrorCode) =>
  assert.rejects(work, error => isPartywallError(error, code))

/** A promise with its handles, to hold a request where a test wants it. */
export function gate<T>() {
  let open: (value: T) => void = () => assert.fail('not ready')
  let fail: (error: unknown) => void = () => assert.fail('not ready')
  const promise = new Promise<T>((resolve, reject) => {
    open = resolve
    fail = reject
  })
  return { promise, open: (value: T) => open(value), fail: (error: unknown) => fail(error) }
}

/** One database and one clock for several processes. */
export function world() {
  const time = { wall: 1_700_000_000_000, monotonic: 5_000 }
  const rows = new Map<string, StoredToken>()
  const locks = new Map<string, Promise<unknown>>()
  const faults: { load?: Error; drop?: Error } = {}
  const warnings: string[] = []
  const store: TokenStore = {
    async load(_identity, key) {
      if (faults.load !== undefined) throw faults.load
      return rows.get(key)
    },
    async save(_identity, key, token) {
      rows.set(key, structuredClone(token))
    },
    async drop(_identity, key) {
      if (faults.drop !== undefined) throw faults.drop
      if (key === undefined) rows.clear()
      else rows.delete(key)
    },
    async exclusively(_identity, key, _waitMs, work) {
      const before = locks.get(key) ?? Promise.resolve()
      const turn = before.then(work, work)
      locks.set(key, turn)
      return turn
    },
  }
  const ignore = () => undefined
  const logger: Logger = { debug: ignore, info: ignore, warn: event => warnings.push(event), error: ignore }
  const current = { is: true }
  let requests = 0
  return {
    time,
    rows,
    faults,
    warnings,
    current,
    requests: () => requests,
    advance(ms: number) {
      time.wall += ms
      time.monotonic += ms
    },
    process: (randomByte = 0, maxEntries = 100) =>
      createTokens({
        store,
        clock: { now: () => time.wall, monotonic: () => time.monotonic },
        random: { bytes: count => Buffer.alloc(count, randomByte) },
        logger,
        isCurrent: () => current.is,
        maxEntries,
      }),
    /** A host that numbers its tokens. */
    ask:
      (lifeSeconds = 1000) =>
      async (): Promise<StoredToken> => {
        requests++
        const number = requests
        await new Promise(resolve => setImmediate(resolve))
        return { accessToken: `token-${number}`, expiresAt: time.wall + lifeSeconds * 1000, scope: '', facts: {} }
      },
  }
}
