/** The faults worth a name. Each is plain data for `host.faults.inject`; add `oauthId` or `times` by spreading. */

import type { Fault } from './faults.ts'

/** @example host.faults.inject({ ...FAULTS.tokenRefused, oauthId: installation.oauthId, times: 1 }) */
export const FAULTS = {
  tokenDown: { at: 'token', effect: { kind: 'status', status: 503 } },
  tokenRefused: { at: 'token', effect: { kind: 'status', status: 401 } },
  tokenReset: { at: 'token', effect: { kind: 'reset' } },
  capabilitiesRedirect: {
    at: 'capabilities',
    effect: { kind: 'redirect', location: 'http://elsewhere.invalid/v2/capabilities' },
  },
  capabilitiesOversize: { at: 'capabilities', effect: { kind: 'oversize', bytes: 2 * 1024 * 1024 } },
  capabilitiesWrongSelf: {
    at: 'capabilities',
    effect: {
      kind: 'change',
      change: document => ({
        ...document,
        links: { ...(document.links as object), self: 'http://elsewhere.invalid/v2/capabilities' },
      }),
    },
  },
  restUnauthorized: { at: 'rest', effect: { kind: 'status', status: 401 } },
  restDown: { at: 'rest', effect: { kind: 'status', status: 503 } },
  restReset: { at: 'rest', effect: { kind: 'reset' } },
  /** A proxy's page where JSON was asked for. */
  restGarbled: { at: 'rest', effect: { kind: 'body', status: 200, contentType: 'text/html', text: '<h1>Sorry</h1>' } },
  /** An answer that was cut in half. */
  tokenGarbled: {
    at: 'token',
    effect: { kind: 'body', status: 200, contentType: 'application/json', text: '{"access_tok' },
  },
  installableGone: { at: 'installable', effect: { kind: 'status', status: 404 } },
  installableReset: { at: 'installable', effect: { kind: 'reset' } },
} as const satisfies Readonly<Record<string, Fault>>

/** Every token answer says `value` for its lifetime, whatever that is; `undefined` leaves the field out. */
export const oddExpiresIn = (value: unknown): Fault => ({
  at: 'token',
  effect: { kind: 'change', change: document => ({ ...document, expires_in: value }) },
})

/** @param resetAt epoch seconds at which the caller may try again */
export const rateLimited = (resetAt: number): Fault => tooMany('x-ratelimit', 500, resetAt)

/** The same for messages to one room or person. */
export const floodControlled = (resetAt: number): Fault => tooMany('x-floodcontrol', 30, resetAt)

const tooMany = (name: string, limit: number, resetAt: number): Fault => ({
  at: 'rest',
  effect: {
    kind: 'status',
    status: 429,
    headers: { [`${name}-limit`]: String(limit), [`${name}-remaining`]: '0', [`${name}-reset`]: String(resetAt) },
  },
})

export const slow = (at: Fault['at'], ms: number): Fault => ({ at, effect: { kind: 'delay', ms } })
