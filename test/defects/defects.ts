/** The defects of the library of before, by number, and the cases that answer them. */

import type { DefectCase } from './case.ts'
import { CLIENT_CASES } from './cases/clients.ts'
import { DESCRIPTOR_CASES } from './cases/descriptors.ts'
import { INSTALL_CASES } from './cases/installs.ts'
import { PACKAGE_CASES } from './cases/packages.ts'
import { STORAGE_CASES } from './cases/storage.ts'
import { TOKEN_CASES } from './cases/tokens.ts'
import { WEBHOOK_CASES } from './cases/webhooks.ts'

export const DEFECTS: readonly string[] = [
  'Re-install takeover',
  'Keys joined unescaped',
  'Ids used as patterns',
  'Uninstall by anybody',
  'Forged webhooks',
  'Requests to any address',
  'Life of tokens',
  'Endless sessions',
  'Algorithm and replay',
  'Secrets in addresses and logs',
  'Disabled ignored, secrets in clear',
  'Dependencies',
  'A throwing handler ends the process',
  'Scoped add-ons get no webhooks',
  'One message, several runs',
  'Descriptor builder',
  'Who the user is, where tokens stand',
  'Listing the store',
  'Data left behind',
  'Live references',
  'Access tokens',
  'Scope check',
  'REST methods',
  'Malformed input is a 500',
  'Handlers and their context',
  'Events and pattern flags',
  'Lost updates, no types',
]

export const CASES: readonly DefectCase[] = [
  ...INSTALL_CASES,
  ...TOKEN_CASES,
  ...WEBHOOK_CASES,
  ...STORAGE_CASES,
  ...CLIENT_CASES,
  ...DESCRIPTOR_CASES,
  ...PACKAGE_CASES,
].sort((one, other) => one.defect - other.defect)
