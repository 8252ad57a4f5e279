/** Names of the jobs that a tenant's client runs by itself, and when they run: each tenant at a time of its own, so that they do not all call at once. */

import type { Random } from '../../core/ports.ts'
import type { ConnectSettings } from './options.ts'

export type ClientJob = 'webhooks-refresh' | 'accounts-report' | 'liveness'

/** Handlers of the jobs of one app never run another's. */
export const handlerOf = ({ key, environment }: ConnectSettings, job: ClientJob): string =>
  `connect:${key}:${environment}:${job}`

/** Name of a tenant's schedule. */
export const scheduleOf = ({ key }: ConnectSettings, job: ClientJob): string => `connect:${key}:${job}`

/** Once a day, at a random minute. */
export const daily = (random: Random): string => `${below(random, 60)} ${below(random, 24)} * * *`

/** Once a week, at a random minute of a random day. */
export const weekly = (random: Random): string => `${below(random, 60)} ${below(random, 24)} * * ${below(random, 7)}`

const below = (random: Random, end: number): number => random.bytes(4).readUInt32LE() % end
