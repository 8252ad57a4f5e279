// `npm run bench -- --only hipchat` with minimal rounds: real servers and real requests, every row measured or said to be missing.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findPeer, HIPCHAT_PEER, nameOfPeer } from '../support/peer.ts'
import { startProcess } from '../support/processes.ts'

const PEER_NAME = nameOfPeer(HIPCHAT_PEER)

interface Printed {
  readonly rows: readonly {
    readonly kind: string
    readonly row: string
    readonly ratio?: number
    readonly p99Ms?: number
    readonly goal?: string
    readonly n: string
  }[]
}

test('the bench measures every page row', async t => {
  const given = ['--only', 'hipchat', '--rounds', '1', '--ops', '100', '--json']
  const bench = startProcess(t, new URL('../../bench/main.ts', import.meta.url), { arguments: given })
  const lines: string[] = []
  const { code } = await Promise.all([bench.ended, bench.eachLine(line => lines.push(line))]).then(([ended]) => ended)
  assert.equal(code, 0, bench.errors)
  const { rows } = JSON.parse(lines.join('\n')) as Printed
  assert.deepEqual(
    rows.filter(({ goal }) => goal !== undefined).map(({ row, goal }) => `${row} ${goal}`),
    ['Koa, request log on <= 2', 'Koa, request log on, repeated tokens <= 2'],
  )
  const ofPeer = rows.filter(({ row }) => row.startsWith(PEER_NAME))
  assert.equal(rows.length, 11)
  assert.equal(ofPeer.length, 4)
  for (const { kind, row, ratio, p99Ms, n } of rows) {
    assert.equal(kind, 'cost')
    if (row.startsWith(PEER_NAME) && findPeer(HIPCHAT_PEER) === undefined) assert.match(n, /^not installed/, row)
    else assert.ok(Number.isFinite(ratio) && Number.isFinite(p99Ms), `${row} has figures`)
  }
})
