// The host's page around an app's page: one frame, and what the bridge asks of the host.
;(() => {
  const view = new URLSearchParams(location.search).get('view') ?? ''

  const request = async (path, init) => {
    const response = await fetch(`/frame/${path}?${new URLSearchParams({ view })}`, init)
    const body = await response.json()
    if (!response.ok) throw new Error(body.message)
    return body
  }

  const start = async () => {
    const heading = document.getElementById('title')
    try {
      const { title, pageUrl, origin } = await request('view')
      heading.textContent = title
      const iframe = document.createElement('iframe')
      iframe.title = title
      document.getElementById('frames').append(iframe)
      // Connected before the page loads, so that its first call is heard.
      const bridge = window.connectPage({
        page: iframe.contentWindow,
        origin,
        channel: 'connect',
        answer: async (call, args) => {
          if (call === 'events.emit') return bridge.tell(args.name, args.value)
          if (call === 'getLocation') return location.href
          return (await request('answer', { method: 'POST', body: JSON.stringify({ call, args }) })).result
        },
      })
      iframe.src = pageUrl
    } catch (error) {
      heading.textContent = error.message
    }
  }
  void start()
})()
