// A context as `core/bind` would make it, for tests of the store alone: it can be revoked and told to ask first.
import type { ContextMode, TenantContext } from '../../src/core/context.ts'
import { PartywallError } from '../../src/core/errors.ts'
import { newIdentityUid, type TenantUid } from '../../src/core/ids.ts'
import type { Clock } from '../../src/core/ports.ts'
import { IdentitySecrets } from '../../src/core/tenant.ts'

export const clock: Clock = { now: () => Date.now(), monotonic: () => performance.now() }
export const cursorKey: Buffer = Buffer.alloc(32, 7)

export interface FakeContext extends TenantContext {
  /** From now on every check refuses. */
  revoke(): void
  /** Checks made so far. */
  readonly checks: number
}

/** @param options.asks checks take a turn, as when the lease has lapsed */
export function fakeContext(tenant: TenantUid, options: { mode?: ContextMode; asks?: boolean } = {}): FakeContext {
  const controller = new AbortController()
  let checks = 0
  const check = (): void => {
    if (controller.signal.aborted) throw new PartywallError('ERR_TENANT_REVOKED')
  }
  return {
    tenantUid: tenant,
    mode: options.mode ?? 'full',
    signal: controller.signal,
    get isRevoked() {
      return controller.signal.aborted
    },
    get checks() {
      return checks
    },
    ensureLive() {
      checks++
      return options.asks === true ? Promise.resolve().then(check) : check()
    },
    revoke: () => controller.abort(),
    identity: {
      app: 'com.example.store',
      environment: 'test',
      dialect: 'hipchat',
      externalId: 'installation',
      uid: newIdentityUid(),
      tenantUid: tenant,
      host: 'hipchat.example',
      state: 'installed',
      version: 1,
      secretVersion: 1,
      orderedAt: 0,
      attributes: {},
      region: 'global',
      hold: 'none',
      secrets: new IdentitySecrets(new Map()),
    },
  }
}
