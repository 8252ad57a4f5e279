/** What the builder makes of what an author says: defect 16. */

import assert from 'node:assert/strict'
import type { DefectCase } from '../case.ts'
import type { Target } from '../target.ts'

interface Capabilities {
  readonly hipchatApiConsumer: { readonly scopes: readonly string[] }
  readonly installable: Readonly<Record<string, unknown>>
  readonly glance?: readonly { readonly key: string }[]
  readonly action?: readonly Readonly<Record<string, unknown>>[]
  readonly adminPage?: unknown
}

const holds = (name: string, check: (capabilities: Capabilities) => void): DefectCase => ({
  defect: 16,
  name,
  run: async target => check(await built(target)),
})

export const DESCRIPTOR_CASES: readonly DefectCase[] = [
  holds('two glances are two', ({ glance = [] }) => {
    assert.deepEqual(
      glance.map(({ key }) => key),
      ['first', 'second'],
    )
  }),
  holds('an action has its target and no made-up address', ({ action }) => {
    assert.equal(action?.[0]?.target, 'panel')
    assert.equal(action[0].url, undefined, `it has the address ${action[0].url}`)
  }),
  holds('there can be an admin page', ({ adminPage }) => {
    assert.ok(adminPage, 'the builder has no such method')
  }),
  holds('a re-install has an address of its own, so that it keeps its id', ({ installable }) => {
    assert.ok(installable.updateCallbackUrl, 'there is no updateCallbackUrl')
  }),
]

/** Of the add-on that is mounted as `/builder`. */
async function built(target: Target): Promise<Capabilities> {
  const { json } = await (await target.addon()).send('/builder/addon/capabilities')
  assert.ok(json, 'there is no such add-on')
  return (json as { readonly capabilities: Capabilities }).capabilities
}
