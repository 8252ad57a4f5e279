// The library of before, on the same cases: each defect is real. It is installed where the gate asks for everything; elsewhere it
// takes part when `npm run peer:defects` or `npm run bench -- --peers` has installed it.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { findPeer, installPeer, PEER_NAME } from '../support/peer.ts'
import { judge } from './case.ts'
import { CASES, DEFECTS } from './defects.ts'
import { type OpenTarget, openPeer } from './targets.ts'

const folder = process.env.PARTYWALL_REQUIRE_ALL === '1' ? await installPeer() : findPeer()
if (folder === undefined) {
  console.log(`NOTICE: ${PEER_NAME} is not installed: its defects were NOT shown. npm run peer:defects installs it.`)
}
const isThere = folder === undefined ? { skip: `${PEER_NAME} is not installed` } : {}

let target: OpenTarget | undefined
before(async () => {
  if (folder !== undefined) target = await openPeer(folder)
})
after(() => target?.close())

for (const [index, defect] of DEFECTS.entries()) {
  test(`defect ${index + 1} is real: ${defect}`, isThere, async () => {
    assert.ok(target)
    for (const one of CASES.filter(candidate => candidate.defect === index + 1)) {
      const verdict = await judge(one, target)
      if (!verdict.ok) return
    }
    assert.fail(`${PEER_NAME} passes every case of it`)
  })
}
