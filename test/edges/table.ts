/** The part of the page that shows both verdicts of each edge. */

import { judge, type Verdict } from '../defects/case.ts'
import { CONNECT_PEER, nameOfPeer } from '../support/peer.ts'
import type { Edge } from './edge.ts'
import { EDGES } from './edges.ts'
import type { Target } from './target.ts'

interface Compared {
  readonly edge: Edge
  readonly peer: Verdict
  readonly ours: Verdict
}

export async function compareEdges(peer: Target, ours: Target): Promise<readonly Compared[]> {
  const compared: Compared[] = []
  for (const edge of EDGES) {
    compared.push({ edge, peer: await judge(edge, peer), ours: await judge(edge, ours) })
  }
  return compared
}

export const failedEdges = (compared: readonly Compared[]): readonly string[] =>
  compared.filter(({ ours }) => !ours.ok).map(({ edge }) => edge.name)

export function edgesPart(compared: readonly Compared[]): string {
  const lines = compared.map(
    ({ edge, peer, ours }, index) =>
      `| ${index + 1} | ${edge.name}${edge.note === undefined ? '' : ` (${edge.note})`} | ${inWords(peer)} | ${inWords(ours)} |`,
  )
  return `
## Atlassian Connect: 47 edges

The same for \`${nameOfPeer(CONNECT_PEER).replace(' ', '@')}\` in production with its default store, SQLite in memory, on Express 4 (\`test/edges\`). A tenant is
installed, something is sent, the answer is looked at, and whether the tenant's page still is its own. \`npm test -- --only edges\` runs them.

| | edge | atlassian-connect-express | Partywall |
| --- | --- | --- | --- |
${lines.join('\n')}
`
}

const inWords = (verdict: Verdict): string => (verdict.ok ? 'holds' : `**fails**: ${verdict.reason}`)
