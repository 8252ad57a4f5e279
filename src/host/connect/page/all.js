// The script of app pages: the documented part of `AP` that this host has, over messages to the frame that holds the page.
;(() => {
  const frame = window.parent
  // A cacheable page has no parameters: the frame is known by its window alone then.
  const host = new URLSearchParams(window.location.search).get('xdm_e')
  const waiting = new Map()
  const handlers = new Map()
  let lastId = 0

  const send = message => frame.postMessage({ channel: 'connect', ...message }, host ?? '*')

  /** A promise, and a callback for those who bring one. */
  const ask = (call, args, callback) => {
    const answered = new Promise((resolve, reject) => {
      const id = ++lastId
      waiting.set(id, { resolve, reject })
      send({ kind: 'call', id, call, args })
    })
    if (typeof callback !== 'function') return answered
    answered.then(callback, () => callback(undefined))
    return undefined
  }

  const settle = ({ id, error, result }) => {
    const asked = waiting.get(id)
    waiting.delete(id)
    if (asked === undefined) return
    if (error === undefined) asked.resolve(result)
    else asked.reject(new Error(error))
  }

  const tell = (name, value) => {
    for (const handler of handlers.get(name) ?? []) handler(value)
  }

  window.addEventListener('message', ({ source, origin, data }) => {
    if (source !== frame || (host !== null && origin !== host)) return
    if (typeof data !== 'object' || data === null || data.channel !== 'connect') return
    if (data.kind === 'answer') settle(data)
    if (data.kind === 'event') tell(data.name, data.value)
  })

  const on = (name, handler) => {
    handlers.set(name, [...(handlers.get(name) ?? []), handler])
    // The frame keeps events until somebody can hear them.
    send({ kind: 'registered', names: [name] })
  }
  const off = (name, handler) => {
    const left = (handlers.get(name) ?? []).filter(one => one !== handler)
    handlers.set(name, left)
  }

  const request = async (address, options) => {
    const {
      url,
      type = 'GET',
      data,
      contentType,
      success,
      error,
    } = typeof address === 'string' ? { ...options, url: address } : address
    const { status, body } = await ask('request', { url, type, data, contentType })
    const xhr = { status, responseText: body }
    if (status >= 200 && status < 300) {
      success?.(body, 'success', xhr)
      return { body, xhr }
    }
    error?.(xhr, 'error', String(status))
    if (error === undefined) throw Object.assign(new Error(`the product answered ${status}`), { xhr })
    return undefined
  }

  // The frame takes what room there is.
  const keepSize = () => undefined

  window.AP = {
    context: {
      getToken: callback => ask('context.getToken', {}, callback),
      getContext: callback => ask('context.getContext', {}, callback),
    },
    user: { getCurrentUser: callback => ask('user.getCurrentUser', {}, callback) },
    events: {
      on,
      off,
      emit: (name, value) => send({ kind: 'call', id: ++lastId, call: 'events.emit', args: { name, value } }),
    },
    request,
    resize: keepSize,
    sizeToParent: keepSize,
    getLocation: callback => ask('getLocation', {}, callback),
  }
})()
