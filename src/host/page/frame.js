// The host's page around add-on pages: one frame per open view, with its buttons, and the box that messages are written in.
;(() => {
  const frames = document.getElementById('frames')
  const message = document.getElementById('message')
  const open = new Map()

  const request = async (path, parameters, method = 'GET') => {
    const response = await fetch(`/addons/frame/${path}?${new URLSearchParams(parameters)}`, { method })
    const body = await response.json()
    if (!response.ok) throw new Error(body.error.message)
    return body
  }

  const close = kind => {
    for (const [view, { section, bridge, kind: own }] of open) {
      if (own !== kind) continue
      bridge.close()
      section.remove()
      open.delete(view)
    }
  }

  const openAnother = async (view, kind, { key }) => {
    close(kind)
    await show((await request('open', { view, kind, key }, 'POST')).view)
  }

  const answer = view => async (call, args) => {
    switch (call) {
      case 'dialog.open':
        return openAnother(view, 'dialog', args)
      case 'sidebar.openView':
        return openAnother(view, 'webPanel', args)
      case 'dialog.close':
        return close('dialog')
      case 'sidebar.closeView':
        return close('webPanel')
      case 'chat.appendMessage':
        message.value += String(args.text)
        return undefined
      default:
        return (await request('answer', { view, call })).result
    }
  }

  const addButton = (section, bridge, action) => {
    const button = document.createElement('button')
    button.textContent = action.name.value
    button.disabled = action.enabled === false
    button.addEventListener('click', () => bridge.tell('dialog-button-click', { action: action.key }))
    section.append(button)
  }

  const show = async view => {
    const { kind, title, options, pageUrl, origin, event } = await request('view', { view })
    const section = document.createElement('section')
    const iframe = document.createElement('iframe')
    iframe.title = title
    section.className = kind
    section.append(iframe)
    frames.append(section)
    // Connected before the page loads, so that its first call is heard.
    const bridge = window.connectPage({ page: iframe.contentWindow, origin, answer: answer(view) })
    open.set(view, { section, bridge, kind })
    for (const action of [options.primaryAction, ...(options.secondaryActions ?? [])]) {
      if (action) addButton(section, bridge, action)
    }
    iframe.src = pageUrl
    if (event) bridge.tell(event.name, event.message)
    return title
  }

  const start = async () => {
    const heading = document.getElementById('title')
    try {
      heading.textContent = await show(new URLSearchParams(location.search).get('view') ?? '')
    } catch (error) {
      heading.textContent = error.message
    }
  }
  void start()
})()
