/**
 * Puts what arrives while a commit is under way into the next one, so that one fsync serves many tenants' rows.
 *
 * Each member stays in its own bound group. When a shared commit fails, its members run again one by one, so that one
 * tenant's trouble is never another's.
 */

import { PartywallError } from '../core/errors.ts'
import type { TenantUid } from '../core/ids.ts'
import type { BoundPool, Parameter, Row, Statement } from '../postgres/database.ts'

type Call = readonly [Statement, readonly Parameter[]]

export interface SharedCommit {
  /** Rows of the last statement, once the commit is durable. @throws ERR_OVERLOADED when too many wait */
  run(tenant: TenantUid, statements: readonly Call[]): Promise<readonly Row[]>
}

export interface SharedCommitOptions {
  /** Commits under way at a time. */
  readonly lanes: number
  readonly maxMembers: number
  /** A commit begins with so many at once; fewer wait for what else this turn of the loop brings. */
  readonly eagerMembers: number
  readonly maxWaiting: number
  /** Runs once at the start of each commit: settings of its transaction. */
  readonly opening?: readonly Call[]
}

interface Member {
  readonly tenant: TenantUid
  readonly statements: readonly Call[]
  readonly resolve: (rows: readonly Row[]) => void
  readonly reject: (error: unknown) => void
}

export function createSharedCommit(pool: BoundPool, options: SharedCommitOptions): SharedCommit {
  const { opening = [] } = options
  const queue: Member[] = []
  let lanes = 0

  const next = (): void => {
    if (queue.length === 0 || lanes >= options.lanes) return
    const members = queue.splice(0, options.maxMembers)
    lanes += 1
    void commit(pool, members, opening).finally(() => {
      lanes -= 1
      next()
    })
  }

  return {
    run(tenant, statements) {
      if (queue.length >= options.maxWaiting) {
        return Promise.reject(
          new PartywallError('ERR_OVERLOADED', { retryAfterSeconds: 1, details: { waiting: queue.length } }),
        )
      }
      return new Promise((resolve, reject) => {
        queue.push({ tenant, statements, resolve, reject })
        // What arrives in this turn of the loop goes along; a crowd does not wait for its end, so that the server works meanwhile.
        if (queue.length >= options.eagerMembers) next()
        else if (queue.length === 1) setImmediate(next)
      })
    },
  }
}

async function commit(pool: BoundPool, members: readonly Member[], opening: readonly Call[]): Promise<void> {
  const [only] = members
  if (members.length === 1 && only !== undefined) return alone(pool, only, opening)
  try {
    const results = await pool.shared(
      members.map(({ tenant, statements }, index) => ({
        tenant,
        statements: index === 0 ? [...opening, ...statements] : statements,
      })),
    )
    members.forEach((member, index) => {
      member.resolve(results[index]?.at(-1) ?? [])
    })
  } catch {
    // Which member was at fault is not known: each tells for itself. The shared transaction has been rolled back whole,
    // and its statements are idempotent by their keys should its commit have gone through unseen.
    await Promise.all(members.map(member => alone(pool, member, opening)))
  }
}

async function alone(
  pool: BoundPool,
  { tenant, statements, resolve, reject }: Member,
  opening: readonly Call[],
): Promise<void> {
  try {
    resolve((await pool.group(tenant, [...opening, ...statements])).at(-1) ?? [])
  } catch (error) {
    reject(error)
  }
}
