/** What a decided change writes, as lists of statements with their parameters. Runs nothing itself. */

import { PartywallError } from '../core/errors.ts'
import type { Decision } from '../core/lifecycle.ts'
import type { TenantChange } from '../core/ports.ts'
import type { JsonObject } from '../core/tenant.ts'
import { auditLine, type Call } from './audit.ts'
import { bytea, textArray } from './parameters.ts'
import { keyParameters } from './registry-keys.ts'
import type { StoredIdentity } from './registry-records.ts'
import * as sql from './registry-statements.ts'
import { type DataKeys, sealBox, type WrappedKey } from './secrets.ts'

export type InstallChange = Extract<TenantChange, { kind: 'install' }>
export type Writing = Extract<Decision, { kind: 'change' | 'restore' }>

/** The identity as it is, with its secrets opened. */
export interface PresentSecrets {
  readonly stored: StoredIdentity
  readonly secrets: ReadonlyMap<string, string>
  readonly key: Buffer | undefined
}

/** @param replaced an ended identity of the same name that is set aside */
export function creationCalls(
  created: StoredIdentity,
  dataKey: { readonly key: Buffer; readonly wrapped: WrappedKey },
  secrets: ReadonlyMap<string, string>,
  change: InstallChange,
  replaced: StoredIdentity | undefined,
): readonly Call[] {
  const { tenantUid: tenant, uid } = created
  const { kekId, wrapped } = dataKey.wrapped
  return [
    ...(replaced === undefined ? [] : setAside(replaced)),
    [sql.INSERT_TENANT, [tenant, kekId, bytea(wrapped)]],
    [
      sql.INSERT_IDENTITY,
      [
        tenant,
        uid,
        ...keyParameters(change.key),
        change.host,
        change.state,
        change.reason,
        String(change.at),
        JSON.stringify(change.attributes),
      ],
    ],
    insertSecrets(created, dataKey.key, created.secretVersion, secrets),
    ...(replaced === undefined
      ? []
      : [[sql.COPY_USED_TOKENS, [replaced.tenantUid, replaced.uid, tenant, uid]] satisfies Call]),
    ...usedTokenCalls(created, change),
    auditLine(tenant, 'identity.created', factsOf(created, change.reason)),
  ]
}

export function changeCalls(
  { stored, secrets, key }: PresentSecrets,
  change: TenantChange,
  decision: Writing,
  options: { readonly retentionDays: number; readonly dataKeys: DataKeys },
): readonly Call[] {
  const ids = [stored.tenantUid, stored.uid] as const
  const install = change.kind === 'install' ? change : undefined
  const secretVersion = stored.secretVersion + (decision.rotatesSecret ? 1 : 0)
  const after = { ...stored, version: stored.version + 1, secretVersion, state: decision.state }
  const calls: Call[] = [
    [
      sql.UPDATE_IDENTITY,
      [
        ...ids,
        decision.state,
        change.reason,
        decision.rotatesSecret ? '1' : '0',
        String(decision.orderedAt),
        String(install !== undefined),
        String(decision.kind === 'restore'),
        install === undefined ? null : JSON.stringify(install.attributes),
      ],
    ],
  ]
  if (install !== undefined && decision.rotatesSecret) calls.push(...rotation(after, key, secrets, install))
  if (decision.takesRights) calls.push([sql.DELETE_TOKENS, ids])
  if (decision.state === 'uninstalled')
    calls.push([sql.BEGIN_RETENTION, [stored.tenantUid, String(options.retentionDays)]])
  if (decision.kind === 'restore') calls.push([sql.END_RETENTION, [stored.tenantUid]], [sql.DROP_FAREWELL, ids])
  if (change.kind === 'uninstall' && change.farewell !== undefined)
    calls.push([sql.OWE_FAREWELL, [...ids, change.farewell]])
  calls.push(...usedTokenCalls(stored, change), ...rewrapCalls(stored, options.dataKeys))
  const facts = { ...factsOf(after, change.reason), isRestored: decision.kind === 'restore' }
  calls.push(auditLine(stored.tenantUid, `identity.${AUDIT_WORD[change.kind]}`, facts))
  return calls
}

/** The change confirms what is there: only its time and its token are new. */
export function confirmationCalls(
  stored: StoredIdentity,
  change: TenantChange,
  orderedAt: number | undefined,
  isTokenNew: boolean,
): readonly Call[] {
  return [
    ...(orderedAt === undefined
      ? []
      : [[sql.ADVANCE_ORDER, [stored.tenantUid, stored.uid, String(orderedAt)]] satisfies Call]),
    ...(isTokenNew ? usedTokenCalls(stored, change) : []),
  ]
}

const AUDIT_WORD = { install: 'installed', enable: 'enabled', disable: 'disabled', uninstall: 'uninstalled' } as const

const factsOf = (identity: StoredIdentity, reason: string): JsonObject => ({
  identity: identity.uid,
  app: identity.app,
  environment: identity.environment,
  dialect: identity.dialect,
  host: identity.host,
  reason,
  state: identity.state,
  version: identity.version,
  secretVersion: identity.secretVersion,
})

const setAside = (replaced: StoredIdentity): readonly Call[] => [
  [sql.SET_ASIDE, [replaced.tenantUid, replaced.uid]],
  [sql.DROP_FAREWELL, [replaced.tenantUid, replaced.uid]],
  // Under its own name the identity cannot be found any more: an operator who links it needs the line.
  auditLine(replaced.tenantUid, 'identity.replaced', {
    ...factsOf(replaced, 'replaced'),
    externalId: replaced.externalId,
  }),
]

/** Secrets that differ get a new version; the old ones go in the same transaction, those not named stay. */
function rotation(
  after: StoredIdentity,
  key: Buffer | undefined,
  present: ReadonlyMap<string, string>,
  install: InstallChange,
): readonly Call[] {
  if (key === undefined) throw new PartywallError('ERR_SEAL_BROKEN', { message: 'the tenant has no data key' })
  const changed = new Map(Object.entries(install.secrets).filter(([name, value]) => present.get(name) !== value))
  const names = textArray([...changed.keys()])
  return [
    [sql.DELETE_OLDER_SECRETS, [after.tenantUid, after.uid, names, String(after.secretVersion)]],
    insertSecrets(after, key, after.secretVersion, changed),
  ]
}

function insertSecrets(
  { tenantUid: tenant, uid: identity }: StoredIdentity,
  key: Buffer,
  version: number,
  secrets: ReadonlyMap<string, string>,
): Call {
  const boxes = [...secrets].map(([name, value]) =>
    bytea(sealBox(key, { kind: 'secret', tenant, identity, name, version }, value)),
  )
  return [sql.INSERT_SECRETS, [tenant, identity, textArray([...secrets.keys()]), String(version), textArray(boxes)]]
}

const usedTokenCalls = ({ tenantUid, uid }: StoredIdentity, { usedToken }: TenantChange): readonly Call[] =>
  usedToken === undefined
    ? []
    : [
        [
          sql.INSERT_USED_TOKEN,
          [tenantUid, uid, bytea(usedToken.tokenHash), bytea(usedToken.bodyHash), String(usedToken.expiresAt)],
        ],
      ]

/** A data key that an older key-encryption key wraps follows the current one whenever its tenant is written anyway. */
function rewrapCalls(stored: StoredIdentity, dataKeys: DataKeys): readonly Call[] {
  const old = stored.dataKey
  const now = old && dataKeys.rewrap(stored.tenantUid, old)
  if (old === undefined || now === undefined) return []
  return [[sql.REWRAP_DATA_KEY, [stored.tenantUid, now.kekId, bytea(now.wrapped), old.kekId, bytea(old.wrapped)]]]
}
