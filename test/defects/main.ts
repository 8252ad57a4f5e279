/**
 * `npm run peer:defects`: runs every case and edge against the libraries of before and against Partywall, prints the tables and writes
 * them to docs/reference/peer-defects.md. Exit code 1 when Partywall fails one, or a defect cannot be shown on the other.
 */

import { writeFile } from 'node:fs/promises'
import { compareEdges, edgesPart, failedEdges } from '../edges/table.ts'
import * as edges from '../edges/target.ts'
import { CONNECT_PEER, HIPCHAT_PEER, installPeer } from '../support/peer.ts'
import { judge } from './case.ts'
import { CASES, DEFECTS } from './defects.ts'
import { type Compared, pageOf } from './table.ts'
import { openPartywall, openPeer } from './targets.ts'

const PAGE = new URL('../../docs/reference/peer-defects.md', import.meta.url)

const peer = await openPeer(await installPeer(HIPCHAT_PEER))
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

const connect = { peer: await edges.openPeer(await installPeer(CONNECT_PEER)), ours: await edges.openPartywall() }
const comparedEdges = await compareEdges(connect.peer, connect.ours).finally(() =>
  Promise.all([connect.peer.close(), connect.ours.close()]),
)

const page =
  pageOf(compared, DEFECTS, { date: new Date().toISOString().slice(0, 10), node: process.versions.node }) +
  edgesPart(comparedEdges)
console.log(page)
await writeFile(PAGE, page)

const unshown = DEFECTS.filter((_, index) => compared.every(({ one, peer: { ok } }) => ok || one.defect !== index + 1))
const failed = [
  ...compared.filter(({ partywall: { ok } }) => !ok).map(({ one }) => `${one.defect} ${one.name}`),
  ...failedEdges(comparedEdges),
]
if (unshown.length > 0) console.error(`not shown on the peer: ${unshown.join(', ')}`)
if (failed.length > 0) console.error(`Partywall fails: ${failed.join(', ')}`)
process.exitCode = unshown.length + failed.length > 0 ? 1 : 0
