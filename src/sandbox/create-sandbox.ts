/**
 * The sandbox: runs functions that nobody vouches for, each instance's in a process of its own, jailed by bubblewrap. What it promises
 * and what not: docs/reference/sandbox.md.
 */

import { PartywallError } from '../core/errors.ts'
import type { Logger } from '../core/ports.ts'
import { probeBubblewrap } from './jail/bubblewrap.ts'
import { openControlGroups } from './jail/control-groups.ts'
import { createPlace } from './jail/place.ts'
import { Pool } from './pool.ts'
import type { CallLimits, Sandbox, SandboxOptions } from './types.ts'

const WALL_MS = 25_000
const LIMITS: Omit<CallLimits, 'cpuMs'> = {
  wallMs: WALL_MS,
  outputBytes: 5 * 1024 * 1024,
  logLines: 100,
  logBytes: 200 * 1024,
  requests: 100,
}

/** @throws ERR_SANDBOX_UNAVAILABLE there is no jail here, and `isolation` or `production` demands one */
export async function createSandbox(options: SandboxOptions & { readonly logger: Logger }): Promise<Sandbox> {
  const { isolation = 'auto', logger } = options
  const isRoot = process.getuid?.() === 0
  const found = isolation === 'process' ? { reason: 'isolation is set to "process"' } : await probeBubblewrap(isRoot)
  const bubblewrap = 'program' in found ? found.program : undefined
  if ('reason' in found) {
    const { reason } = found
    if (isolation === 'jail' || options.production === true) {
      throw new PartywallError('ERR_SANDBOX_UNAVAILABLE', { message: `functions of tenants need a jail: ${reason}` })
    }
    logger.warn('sandbox-not-isolated', {
      note: 'NOT ISOLATED: functions run as plain child processes, with this user’s rights',
      reason,
    })
  }
  const place = await createPlace(bubblewrap !== undefined && isRoot)
  const groups = bubblewrap === undefined ? undefined : openControlGroups()
  const pool = new Pool(
    { place, bubblewrap, isRoot, mayFork: options.processes === true, groups },
    {
      spares: options.spares ?? 1,
      concurrency: options.concurrency ?? 1,
      idleMs: options.idleMs ?? 120_000,
      maxAgeMs: options.maxAgeMs ?? 3_600_000,
      maxCalls: options.maxCalls ?? 1_000,
      maxProcesses: options.maxProcesses ?? 64,
      maxWaiting: options.maxWaiting ?? 100,
    },
    logger,
  )
  let closing: Promise<void> | undefined
  return {
    boundary: bubblewrap === undefined ? 'none' : 'bubblewrap',
    prepare: program => pool.prepare(program),
    call(call) {
      const wallMs = call.limits?.wallMs ?? WALL_MS
      return pool.call(call, { ...LIMITS, wallMs, cpuMs: wallMs, ...call.limits })
    },
    stopInstance: instance => pool.stopInstance(instance),
    async retire(programId) {
      await pool.retire(programId)
      await place.forget(programId)
    },
    stats: () => pool.stats(),
    close() {
      closing ??= pool.close().then(() => {
        groups?.close()
        return place.close()
      })
      return closing
    },
  }
}
