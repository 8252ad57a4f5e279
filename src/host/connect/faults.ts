/** The faults of Jira and Confluence worth a name, beside those of `FAULTS` at `rest` and `token`. Plain data for `host.faults.inject`. */

import type { Fault } from '../faults/faults.ts'
import type { ConnectFaultPoint } from './state.ts'

type ConnectFault = Fault<ConnectFaultPoint>

const redirect = (location: string): ConnectFault => ({ at: 'rest', effect: { kind: 'redirect', location } })

/** @example host.faults.inject({ ...CONNECT_FAULTS.keysDown, times: 1 }) */
export const CONNECT_FAULTS = {
  keysDown: { at: 'keys', effect: { kind: 'status', status: 503 } },
  keysReset: { at: 'keys', effect: { kind: 'reset' } },
  /** A page where a key was asked for. */
  keysPage: {
    at: 'keys',
    effect: { kind: 'body', status: 404, contentType: 'text/html', text: '<h1>No such key</h1>' },
  },
  keysGarbled: {
    at: 'keys',
    effect: {
      kind: 'body',
      status: 200,
      contentType: 'application/x-pem-file',
      text: '-----BEGIN PUBLIC KEY-----\nMII',
    },
  },
  /** Where no second request may go with the token. */
  restToPlainHttp: redirect('http://elsewhere.invalid/rest'),
  restToOtherHost: redirect('https://elsewhere.invalid/rest'),
  restToLinkLocal: redirect('http://169.254.169.254/latest/meta-data'),
} as const satisfies Readonly<Record<string, ConnectFault>>

/** 429 as the products say it (protocol s. 9.3). @param resetAt epoch milliseconds */
export const quotaExceeded = (
  retryAfterSeconds: number,
  resetAt: number,
  reason = 'jira-quota-tenant-based',
): ConnectFault => ({
  at: 'rest',
  effect: {
    kind: 'status',
    status: 429,
    headers: {
      'retry-after': String(retryAfterSeconds),
      'x-ratelimit-limit': '100',
      'x-ratelimit-remaining': '0',
      'x-ratelimit-reset': new Date(resetAt).toISOString(),
      'x-ratelimit-nearlimit': 'true',
      'ratelimit-reason': reason,
    },
  },
})
