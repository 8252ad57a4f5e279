/** Which PostgreSQL versions we run on, and which have known holes in row-level security. */

import { PartywallError } from '../core/errors.ts'

const OLDEST = 150_000
/** First minor release of each major that has the fixes for known row-security flaws, as `server_version_num`. */
const FIXED: Readonly<Record<number, number>> = { 15: 150_009, 16: 160_005, 17: 170_001 }

/**
 * @param version `server_version_num`, such as 150018
 * @throws ERR_DATABASE_TOO_OLD below 15
 */
export function checkServerVersion(version: number): void {
  if (version < OLDEST) {
    throw new PartywallError('ERR_DATABASE_TOO_OLD', {
      message: `PostgreSQL ${readable(version)} is too old; 15 or newer is needed`,
      details: { version },
    })
  }
}

/** A sentence for the log where the server lacks a fix that the wall stands on, else nothing. */
export function versionWarning(version: number): string | undefined {
  const fixed = FIXED[Math.floor(version / 10_000)]
  if (fixed === undefined || version >= fixed) return undefined
  return `PostgreSQL ${readable(version)} has known flaws in row-level security; upgrade to ${readable(fixed)} or newer`
}

const readable = (version: number): string => `${Math.floor(version / 10_000)}.${version % 10_000}`
