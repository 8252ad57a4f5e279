// Two windows as far as messages go: a page in a frame, and the frame's page. Data is copied as a browser copies it, and a
// message for another origin than the window's is dropped.

export interface FakeMessage {
  readonly source: unknown
  readonly origin: string
  readonly data: unknown
}
export interface OtherWindow {
  postMessage(data: unknown, targetOrigin: string): void
}
/** Scripts put what they export on it. */
export interface FakeWindow extends Record<string, unknown> {
  readonly location: { readonly search: string }
  readonly parent: OtherWindow
  /** How the other window knows this one. */
  readonly seenByOther: OtherWindow
  dispatch(message: FakeMessage): void
}

export function linkedWindows(
  pageOrigin: string,
  frameOrigin: string,
  search: string,
): { readonly page: FakeWindow; readonly frame: FakeWindow; readonly pageSeenByFrame: OtherWindow } {
  const deliver = (to: () => FakeWindow, ownOrigin: string, from: () => FakeMessage['source'], fromOrigin: string) => ({
    postMessage: (data: unknown, targetOrigin: string) => {
      if (targetOrigin !== '*' && targetOrigin !== ownOrigin) return
      const message = { source: from(), origin: fromOrigin, data: structuredClone(data) }
      setImmediate(() => to().dispatch(message))
    },
  })
  const frameSeenByPage: OtherWindow = deliver(
    () => frame,
    frameOrigin,
    () => pageSeenByFrame,
    pageOrigin,
  )
  const pageSeenByFrame: OtherWindow = deliver(
    () => page,
    pageOrigin,
    () => frameSeenByPage,
    frameOrigin,
  )
  const page = newWindow(search, frameSeenByPage, pageSeenByFrame)
  const frame = newWindow('', frameSeenByPage, frameSeenByPage)
  return { page, frame, pageSeenByFrame }
}

function newWindow(search: string, parent: OtherWindow, seenByOther: OtherWindow): FakeWindow {
  const listeners = new Set<(message: FakeMessage) => void>()
  return {
    location: { search },
    parent,
    seenByOther,
    addEventListener: (_type: string, listener: (message: FakeMessage) => void) => listeners.add(listener),
    removeEventListener: (_type: string, listener: (message: FakeMessage) => void) => listeners.delete(listener),
    dispatch: message => {
      for (const listener of listeners) listener(message)
    },
  }
}
