/** The guest's way out: one function that the sandbox gives. Everything a guest may do outside of its process goes through it. */

import { FETCH, type GuestRequest, type GuestResponse } from './protocol.ts'

/** Asks the platform; rejects with what the platform refused, or when the call it belongs to has ended. */
export type HostCall = (name: string, payload: unknown) => Promise<unknown>
export type Send = (request: GuestRequest) => Promise<GuestResponse>

export const createSend =
  (call: HostCall): Send =>
  async request =>
    // The platform is trusted: it made this very jail.
    (await call(FETCH, request)) as GuestResponse
