/** An identity as the registry would give it, for tests of what takes identities as given. */

import { randomUUID } from 'node:crypto'
import { newIdentityUid, newTenantUid } from '../../src/core/ids.ts'
import { type IdentityRecord, IdentitySecrets } from '../../src/core/tenant.ts'

export const newIdentityRecord = (facts: Partial<IdentityRecord> = {}): IdentityRecord => ({
  app: 'test',
  environment: 'test',
  dialect: 'hipchat',
  externalId: randomUUID(),
  host: 'host.test',
  uid: newIdentityUid(),
  tenantUid: newTenantUid(),
  state: 'installed',
  version: 1,
  secretVersion: 1,
  orderedAt: 0,
  attributes: {},
  region: 'global',
  hold: 'none',
  secrets: new IdentitySecrets(new Map()),
  ...facts,
})
