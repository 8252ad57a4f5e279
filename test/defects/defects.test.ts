// What the library of before gets wrong, case by case, against Partywall. The same list runs against that library in peer.test.ts.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { CASES, DEFECTS } from './defects.ts'
import { type OpenTarget, openPartywall } from './targets.ts'

let target: OpenTarget
before(async () => {
  target = await openPartywall()
})
after(() => target.close())

test('every defect has a case', () => {
  assert.deepEqual(
    [...new Set(CASES.map(({ defect }) => defect))],
    DEFECTS.map((_, index) => index + 1),
  )
})

for (const one of CASES) test(`defect ${one.defect}: ${one.name}`, () => one.run(target))
