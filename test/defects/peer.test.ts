// The library of before, on the same cases: each defect is real. It is installed where the gate asks for everything; elsewhere it
// takes part when `npm run peer:defects` or `npm run bench -- --peers` has installed it.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { HIPCHAT_PEER, nameOfPeer, peerForTests } from '../support/peer.ts'
import { judge } from './case.ts'
import { CASES, DEFECTS } from './defects.ts'
import { type OpenTarget, openPeer } from './targets.ts'

const { folder, skip } = await peerForTests(HIPCHAT_PEER)

let target: OpenTarget | undefined
before(async () => {
  if (folder !== undefined) target = await openPeer(folder)
})
after(() => target?.close())

for (const [index, defect] of DEFECTS.entries()) {
  test(`defect ${index + 1} is real: ${defect}`, skip, async () => {
    assert.ok(target)
    for (const one of CASES.filter(candidate => candidate.defect === index + 1)) {
      const verdict = await judge(one, target)
      if (!verdict.ok) return
    }
    assert.fail(`${nameOfPeer(HIPCHAT_PEER)} passes every case of it`)
  })
}
