// The script of add-on pages: the documented part of the HipChat object, over messages to the frame that holds the page.
;(() => {
  const frame = window.parent
  // Old hosts name themselves in the address; without it the frame is known by its window alone.
  const host = new URLSearchParams(window.location.search).get('xdmhost')
  const waiting = new Map()
  const handlers = new Map()
  let lastId = 0

  const send = message => frame.postMessage({ channel: 'hipchat', ...message }, host ?? '*')

  const ask = (call, args, callback) => {
    const id = ++lastId
    if (typeof callback === 'function') waiting.set(id, callback)
    send({ kind: 'call', id, call, args })
  }

  const settle = ({ id, error, result }) => {
    const callback = waiting.get(id)
    waiting.delete(id)
    if (callback) callback(error === undefined ? null : new Error(error), result)
  }

  const dispatch = ({ name, value }) => {
    const handler = handlers.get(name)
    if (!handler) return
    if (name === 'dialog-button-click') handler(value, () => window.HipChat.dialog.close())
    else handler(value)
  }

  window.addEventListener('message', ({ source, origin, data }) => {
    if (source !== frame || (host !== null && origin !== host)) return
    if (typeof data !== 'object' || data === null || data.channel !== 'hipchat') return
    if (data.kind === 'answer') settle(data)
    if (data.kind === 'event') dispatch(data)
  })

  window.HipChat = {
    auth: { withToken: callback => ask('auth.withToken', {}, callback) },
    room: {
      getRoomDetails: callback => ask('room.getRoomDetails', {}, callback),
      getParticipants: callback => ask('room.getParticipants', {}, callback),
    },
    user: { getCurrentUser: callback => ask('user.getCurrentUser', {}, callback) },
    register: added => {
      for (const [name, handler] of Object.entries(added)) handlers.set(name, handler)
      // The frame keeps events until somebody can hear them.
      send({ kind: 'registered', names: Object.keys(added) })
    },
    dialog: {
      open: options => ask('dialog.open', { key: options.key }),
      close: () => ask('dialog.close', {}),
    },
    sidebar: {
      openView: options => ask('sidebar.openView', { key: options.key }),
      closeView: () => ask('sidebar.closeView', {}),
    },
    chat: { appendMessage: (text, callback) => ask('chat.appendMessage', { text: String(text) }, callback) },
  }
})()
