/**
 * The clock of Forge's own timers: schedules, delays, retries, retention of events. It runs with the app's clock, ahead of it by as
 * much as a test has moved it.
 */

import type { Clock } from '../../core/ports.ts'

export interface ForgeTime {
  /** Epoch milliseconds on this clock. */
  now(): number
  /** When the app's clock, and the database with it, reaches this time. */
  realTimeOf(time: number): number
}

export interface MovableTime extends ForgeTime {
  move(ms: number): void
}

export function createForgeTime(clock: Pick<Clock, 'now'>): MovableTime {
  let ahead = 0
  return {
    now: () => clock.now() + ahead,
    realTimeOf: time => time - ahead,
    move(ms) {
      ahead += ms
    },
  }
}
