// `npm run bench -- --only installs` with one small crowd: real installs at once, a real SIGKILL, and what is there afterwards.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CONNECT_PEER, findPeer, nameOfPeer } from '../support/peer.ts'
import { startProcess } from '../support/processes.ts'

interface Printed {
  readonly rows: readonly {
    readonly row: string
    readonly value: number
    readonly goal?: string
    readonly met: boolean
  }[]
}

test('every install of a crowd that was answered with a 2xx is there after a SIGKILL', async t => {
  const given = ['--only', 'installs', '--rounds', '1', '--ops', '60', '--json']
  const bench = startProcess(t, new URL('../../bench/main.ts', import.meta.url), { arguments: given })
  const lines: string[] = []
  const { code } = await Promise.all([bench.ended, bench.eachLine(line => lines.push(line))]).then(([ended]) => ended)
  assert.equal(code, 0, bench.errors)
  const { rows } = JSON.parse(lines.join('\n')) as Printed
  const own = rows.filter(({ goal }) => goal !== undefined)
  assert.deepEqual(
    own.map(({ row, value, met }) => [row, value, met]),
    [
      ['partywall: 60 installs at once, answered 2xx', 60, true],
      ['partywall: 60 installs at once, there after a SIGKILL', 60, true],
    ],
  )
  const peer = rows.filter(({ row }) => row.startsWith(nameOfPeer(CONNECT_PEER)))
  assert.equal(peer.length, findPeer(CONNECT_PEER) === undefined ? 0 : 3)
})
