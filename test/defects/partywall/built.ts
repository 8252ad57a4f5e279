/** An add-on of capabilities alone, mounted as `/builder`: what the builder makes of them is what counts. */

import type { App, HipchatOptions } from 'partywall'

export function addBuilt(app: App, options: Pick<HipchatOptions, 'hosts' | 'scopes'>): void {
  app
    .hipchat({ name: 'Built', key: 'com.example.cases.built', path: '/builder', ...options })
    .glance('first', 'First', 'https://example.com/1.png', 'panel', '/glance/first')
    .glance('second', 'Second', 'https://example.com/2.png', 'panel', '/glance/second')
    .webPanel('panel', 'Panel', 'hipchat.sidebar.right', '/panel')
    .action('act', 'Act', 'hipchat.message.action', 'panel')
    .adminPage('/admin')
}
