/**
 * What has become of the events of a push: how many there are, which have ended and how, whether somebody cancelled. Kept in the
 * installation's own state for as long as events live, and a while longer.
 */

import type { TenantStore } from '../../core/store.ts'
import { recordOf } from '../answers.ts'
import type { JobName } from './queue-requests.ts'

/** Events live for a day; for three more the platform answers for them. (Protocol s. 9.) */
export const RETENTION_MS = 24 * 3_600_000
const KEPT_SECONDS = 4 * 24 * 3600

export interface JobStats {
  readonly success: number
  readonly inProgress: number
  readonly failed: number
}

export interface JobBook {
  open(name: JobName, events: number): Promise<void>
  /** False where there is no such job. */
  cancel(name: JobName): Promise<boolean>
  isCancelled(name: JobName): Promise<boolean>
  /** Once an event; a second time changes nothing that matters. */
  end(name: JobName, index: number, how: 'success' | 'failed'): Promise<void>
  stats(name: JobName): Promise<JobStats | undefined>
}

export function createJobBook(state: TenantStore): JobBook {
  const bookOf = ({ queue, jobId }: JobName) => state.narrow('events').narrow(queue).narrow(jobId)
  return {
    async open(name, events) {
      await bookOf(name).set('job', { events }, { ttlSeconds: KEPT_SECONDS })
    },
    async cancel(name) {
      const changed = await bookOf(name).update(
        'job',
        job => (job === undefined ? undefined : { ...recordOf(job), isCancelled: true }) as never,
        { ttlSeconds: KEPT_SECONDS },
      )
      return changed !== undefined
    },
    isCancelled: async name => recordOf(await bookOf(name).get('job')).isCancelled === true,
    async end(name, index, how) {
      await bookOf(name).set(`event-${index}`, how, { ttlSeconds: KEPT_SECONDS })
    },
    async stats(name) {
      const rows = await bookOf(name).all()
      if (rows.job === undefined) return undefined
      const { events, isCancelled } = recordOf(rows.job)
      const ends = Object.values(rows)
      const success = ends.filter(end => end === 'success').length
      const left = Number(events) - success
      const failed = isCancelled === true ? left : ends.filter(end => end === 'failed').length
      return { success, failed, inProgress: left - failed }
    },
  }
}
