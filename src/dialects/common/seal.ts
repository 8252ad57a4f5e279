/** The end of building: the first request, or whoever asks for it, seals an add-on; nothing can be added to it afterwards. */

import type { Route } from '../../http/view.ts'

export interface Seal {
  close(): void
  /** @throws TypeError when closed */
  ensureOpen(): void
  /** The same route, closing the seal with its first request. */
  closedBy(route: Route): Route
}

export function createSeal(): Seal {
  let isClosed = false
  const close = () => {
    isClosed = true
  }
  return {
    close,
    ensureOpen() {
      if (isClosed) throw new TypeError('the add-on serves already; call its builder before the first request')
    },
    closedBy: route => ({
      ...route,
      handle(request) {
        close()
        return route.handle(request)
      },
    }),
  }
}
