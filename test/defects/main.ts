/**
 * `npm run peer:defects`: runs every case against the library of before and against Partywall, prints the table and writes it to
 * docs/reference/peer-defects.md. Exit code 1 when Partywall fails a case, or a defect cannot be shown on the other.
 */

import { writeFile } from 'node:fs/promises'
import { installPeer } from '../support/peer.ts'
import { judge } from './case.ts'
import { CASES, DEFECTS } from './defects.ts'
import { type Compared, pageOf } from './table.ts'
import { openPartywall, openPeer } from './targets.ts'

const PAGE = new URL('../../docs/reference/peer-defects.md', import.meta.url)

const peer = await openPeer(await installPeer())
const partywall = await openPartywall()
const compared: Compared[] = []
try {
  for (const one of CASES) {
    const verdicts = { peer: await judge(one, peer), partywall: await judge(one, partywall) }
    compared.push({ one, ...verdicts })
    console.error(`${one.defect} ${one.name}: ${verdicts.peer.ok} ${verdicts.partywall.ok}`)
  }
} finally {
  await Promise.all([peer.close(), partywall.close()])
}

const page = pageOf(compared, DEFECTS, { date: new Date().toISOString().slice(0, 10), node: process.versions.node })
console.log(page)
await writeFile(PAGE, page)

const unshown = DEFECTS.filter((_, index) => compared.every(({ one, peer: { ok } }) => ok || one.defect !== index + 1))
const failed = compared.filter(({ partywall: { ok } }) => !ok).map(({ one }) => `${one.defect} ${one.name}`)
if (unshown.length > 0) console.error(`not shown on the peer: ${unshown.join(', ')}`)
if (failed.length > 0) console.error(`Partywall fails: ${failed.join(', ')}`)
process.exitCode = unshown.length + failed.length > 0 ? 1 : 0
