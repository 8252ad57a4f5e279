/** The page that shows both verdicts of each case. Text alone; nothing is run here. */

import { HIPCHAT_PEER } from '../support/peer.ts'
import type { DefectCase, Verdict } from './case.ts'

export interface Compared {
  readonly one: DefectCase
  readonly peer: Verdict
  readonly partywall: Verdict
}

export interface TableFacts {
  /** `YYYY-MM-DD` */
  readonly date: string
  readonly node: string
}

export function pageOf(compared: readonly Compared[], defects: readonly string[], { date, node }: TableFacts): string {
  const packages = Object.entries(HIPCHAT_PEER.packages).map(([name, version]) => `\`${name}@${version}\``)
  const lines = compared.map(({ one, peer, partywall }) =>
    ['', `${one.defect} ${defects[one.defect - 1]}`, one.name, inWords(peer), inWords(partywall), '']
      .map(escapePipes)
      .join(' | ')
      .trim(),
  )
  return `${HEAD}
${packages.join(' and ')}, Node ${node}, Linux, ${date}.

| defect | case | ac-koa-hipchat | Partywall |
| --- | --- | --- | --- |
${lines.join('\n')}
${footOf(compared)}`
}

const HEAD = `# What the library of before gets wrong

Made by \`npm run peer:defects\`, which installs ac-koa-hipchat into a folder that git ignores and runs the cases of \`test/defects\` against it
and against Partywall: two real processes with the same add-on, the same simulated host, real requests. The peer runs with \`NODE_ENV=production\`,
where it checks most, and with its list of hosts switched on. \`npm test -- --only defects\` runs the same cases; the peer takes part where it is
installed, and always in the gate.
`

function footOf(compared: readonly Compared[]): string {
  const notes = compared.flatMap(({ one }) => (one.shownBy === undefined ? [] : [`- ${one.defect}: ${one.shownBy}.`]))
  return notes.length === 0
    ? ''
    : `\nHow the peer was made to show it, where it is not by a request:\n\n${notes.join('\n')}\n`
}

const inWords = (verdict: Verdict): string => (verdict.ok ? 'holds' : `**fails**: ${lasting(verdict.reason.trim())}`)

/** Without what is another one in each run. */
const lasting = (text: string): string =>
  text
    .replace(/(127\.0\.0\.1):\d+/g, '$1:port')
    .replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'id')
    .replace(/\b[A-Za-z0-9]{40}\b/g, 'secret')

const escapePipes = (text: string): string => text.replaceAll('|', '\\|')
