import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Decision, decide, type PresentIdentity } from '../../../src/core/lifecycle.ts'
import type { TenantChange } from '../../../src/core/ports.ts'
import type { IdentityState } from '../../../src/core/tenant.ts'

const key = { app: 'a', environment: 'e', dialect: 'connect', externalId: 'x' } as const
type Install = Extract<TenantChange, { kind: 'install' }>

const present = (more: Partial<PresentIdentity> = {}): PresentIdentity => ({
  host: 'h',
  state: 'installed',
  version: 3,
  orderedAt: 100,
  attributes: { link: 'l' },
  hold: 'none',
  isRestorable: true,
  hasSameSecrets: true,
  ...more,
})
const install = (more: Partial<Install> = {}): Install => ({
  kind: 'install',
  key,
  at: 200,
  reason: 'install',
  host: 'h',
  secrets: { secret: 's' },
  attributes: { link: 'l' },
  state: 'installed',
  ...more,
})
const become = (kind: 'enable' | 'disable' | 'uninstall', at = 200, more: object = {}): TenantChange => ({
  kind,
  key,
  at,
  reason: kind,
  ...more,
})
const rotated = { hasSameSecrets: false }

const cases: readonly [string, PresentIdentity | undefined, TenantChange, Partial<Decision>][] = [
  ['an install of an unknown identity creates it', undefined, install(), { kind: 'create', replaces: false }],
  ['an unknown identity can be expected to be absent', undefined, install({ expect: 'absent' }), { kind: 'create' }],
  ['an unknown identity has no version', undefined, install({ expect: 3 }), { kind: 'conflict' }],
  ['A 12: an uninstall of an unknown identity is no failure', undefined, become('uninstall'), { kind: 'unknown' }],
  ['the same install again changes nothing', present(), install({ at: 100 }), { kind: 'unchanged' }],
  ['a newer equal install moves the order', present(), install(), { kind: 'unchanged', orderedAt: 200 }],
  [
    'an equal install is no conflict, whatever it expected',
    present(),
    install({ expect: 'absent' }),
    { kind: 'unchanged' },
  ],
  ['another secret rotates', present(rotated), install(), { kind: 'change', rotatesSecret: true, takesRights: true }],
  [
    'another attribute changes without taking rights',
    present(),
    install({ attributes: {} }),
    { kind: 'change', rotatesSecret: false, takesRights: false },
  ],
  [
    'an expectation that is not met',
    present(rotated),
    install({ expect: 2 }),
    { kind: 'conflict', reason: 'expectation' },
  ],
  ['an expectation that is met', present(rotated), install({ expect: 3 }), { kind: 'change' }],
  ['expected to be absent and is not', present(rotated), install({ expect: 'absent' }), { kind: 'conflict' }],
  ['A 15: another host is refused', present(), install({ host: 'other' }), { kind: 'conflict', reason: 'host' }],
  [
    'A 15: another host is refused after an uninstall too',
    present({ state: 'uninstalled' }),
    install({ host: 'other' }),
    { kind: 'conflict', reason: 'host' },
  ],
  ['A 7: an older install is stale', present(rotated), install({ at: 99 }), { kind: 'stale' }],
  ['A 7: an older uninstall is stale', present(), become('uninstall', 99), { kind: 'stale' }],
  [
    'of equal times the later arrival counts',
    present(),
    become('uninstall', 100),
    { kind: 'change', state: 'uninstalled', takesRights: true },
  ],
  [
    'an install after an uninstall of the same time counts',
    present({ state: 'uninstalled' }),
    install({ at: 100 }),
    { kind: 'restore' },
  ],
  [
    'arrival orders where the host says no time',
    present(),
    become('uninstall', 50, { isOrderedByArrival: true }),
    { kind: 'change', orderedAt: 100 },
  ],
  [
    'an update keeps an enabled identity enabled',
    present({ state: 'enabled' }),
    install({ attributes: {} }),
    { kind: 'change', state: 'enabled' },
  ],
  [
    'an install wakes a disabled identity',
    present({ state: 'disabled' }),
    install(),
    { kind: 'change', state: 'installed', takesRights: false },
  ],
  [
    'enabling',
    present({ state: 'disabled' }),
    become('enable'),
    { kind: 'change', state: 'enabled', takesRights: false },
  ],
  ['disabling', present(), become('disable'), { kind: 'change', state: 'disabled', takesRights: true }],
  ['disabling twice', present({ state: 'disabled' }), become('disable'), { kind: 'unchanged', orderedAt: 200 }],
  [
    'A 12: uninstalling twice',
    present({ state: 'uninstalled' }),
    become('uninstall'),
    { kind: 'unchanged', orderedAt: 200 },
  ],
  [
    'an ended identity is not enabled by an event',
    present({ state: 'uninstalled' }),
    become('enable'),
    { kind: 'unchanged' },
  ],
  [
    'an ended identity comes back',
    present({ state: 'uninstalled' }),
    install(),
    { kind: 'restore', state: 'installed' },
  ],
  [
    'A 13: data that the policy says is gone does not come back',
    present({ state: 'uninstalled', isRestorable: false }),
    install(),
    { kind: 'create', replaces: true },
  ],
  [
    'A 13: nor while it is being erased',
    present({ state: 'uninstalled', hold: 'erasing', isRestorable: false }),
    install(),
    { kind: 'create', replaces: true },
  ],
  ['a tenant on the move is not changed', present({ hold: 'moving', ...rotated }), install(), { kind: 'held' }],
  [
    'a retired identity does not come back',
    present({ state: 'retired' }),
    install(),
    { kind: 'conflict', reason: 'retired' },
  ],
]

for (const [name, before, change, expected] of cases) {
  test(name, () => {
    const decision = decide(before, change, 'first')
    assert.deepEqual({ ...decision, ...expected }, decision)
  })
}

test('an event that contradicts the state does not move the order', () => {
  assert.deepEqual(decide(present({ state: 'uninstalled' }), become('enable'), 'first'), { kind: 'unchanged' })
})

test('A 6: the same token with the same body has no second effect, with another body it is refused', () => {
  for (const change of [install({ attributes: {} }), become('uninstall'), become('disable', 50)]) {
    assert.equal(decide(present(rotated), change, 'same-body').kind, 'unchanged')
    assert.equal(decide(present(rotated), change, 'other-body').kind, 'replayed')
  }
})

test('A 7: whatever arrives in whatever order, an event older than the newest accepted one changes nothing', () => {
  const events = fc.array(
    fc.record({
      kind: fc.constantFrom('install', 'enable', 'disable', 'uninstall'),
      at: fc.integer({ min: 1, max: 9 }),
    }),
    { maxLength: 20 },
  )
  fc.assert(
    fc.property(events, list => {
      let identity: PresentIdentity | undefined
      let accepted = 0
      for (const { kind, at } of list) {
        const change = kind === 'install' ? install({ at }) : become(kind as 'enable', at)
        const decision = decide(identity, change, 'first')
        if (at < accepted) assert.ok(['stale', 'unknown'].includes(decision.kind))
        const state: IdentityState | undefined = 'state' in decision ? decision.state : undefined
        if (decision.kind === 'create') identity = present({ orderedAt: at })
        else if (identity !== undefined && state !== undefined) identity = { ...identity, state, orderedAt: at }
        if (identity !== undefined && 'orderedAt' in decision && decision.orderedAt !== undefined) {
          identity = { ...identity, orderedAt: decision.orderedAt }
        }
        accepted = identity?.orderedAt ?? 0
      }
    }),
  )
})
