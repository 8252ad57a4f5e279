/** An add-on of capabilities alone, mounted as `/builder`: what the builder makes of them is what counts. */

import type { App, HipchatOptions } from 'partywall'

/** Calls of the builder that are used here. */
interface Builder {
  readonly key: string
  glance?(...said: string[]): unknown
  webPanel?(...said: string[]): unknown
  action?(...said: string[]): unknown
  adminPage?(page: string): unknown
}

export function addBuilt(app: App, options: Pick<HipchatOptions, 'hosts' | 'scopes'>): void {
  const own = { name: 'Built', key: 'com.example.cases.built', path: '/builder' }
  const built: Builder = app.hipchat({ ...own, ...options })
  built.glance?.('first', 'First', 'https://example.com/1.png', 'panel', '/glance/first')
  built.glance?.('second', 'Second', 'https://example.com/2.png', 'panel', '/glance/second')
  built.webPanel?.('panel', 'Panel', 'hipchat.sidebar.right', '/panel')
  built.action?.('act', 'Act', 'hipchat.message.action', 'panel')
  built.adminPage?.('/admin')
}
