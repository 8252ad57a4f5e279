// The frame's side of the page bridge: answers one page's calls and tells it events. Touches no document.
;(() => {
  /**
   * @param {{ page: Window, origin: string, answer: (call: string, args: object) => Promise<unknown>, channel?: string }} connection
   *   `page` is the window of the add-on's page, `origin` where it must be from; `answer` rejects with what the page may read
   */
  window.connectPage = ({ page, origin, answer, channel = 'hipchat' }) => {
    const registered = new Set()
    let kept = []

    const send = message => page.postMessage({ channel, ...message }, origin)

    const respond = async ({ id, call, args }) => {
      try {
        send({ kind: 'answer', id, result: await answer(String(call), Object(args)) })
      } catch (error) {
        send({ kind: 'answer', id, error: error.message })
      }
    }

    const release = names => {
      for (const name of names) registered.add(name)
      const ready = kept.filter(event => registered.has(event.name))
      kept = kept.filter(event => !registered.has(event.name))
      for (const event of ready) send({ kind: 'event', ...event })
    }

    const listen = event => {
      if (event.source !== page || event.origin !== origin) return
      const { data } = event
      if (typeof data !== 'object' || data === null || data.channel !== channel) return
      if (data.kind === 'call') void respond(data)
      if (data.kind === 'registered' && Array.isArray(data.names)) release(data.names)
    }
    window.addEventListener('message', listen)

    return {
      /** Waits for a handler of this name. */
      tell: (name, value) => {
        kept.push({ name, value })
        release([])
      },
      close: () => window.removeEventListener('message', listen),
    }
  }
})()
