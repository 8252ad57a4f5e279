// `npm run bench -- --only connect` with minimal rounds: real servers, real installs and requests, every row measured or said to be
// missing.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CONNECT_PEER, findPeer, nameOfPeer } from '../support/peer.ts'
import { startProcess } from '../support/processes.ts'

interface Printed {
  readonly rows: readonly {
    readonly row: string
    readonly ratio?: number
    readonly goal?: string
    readonly n: string
  }[]
}

test('the bench measures every row of a Connect page', async t => {
  const given = ['--only', 'connect', '--rounds', '1', '--ops', '100', '--json']
  const bench = startProcess(t, new URL('../../bench/main.ts', import.meta.url), { arguments: given })
  const lines: string[] = []
  const { code } = await Promise.all([bench.ended, bench.eachLine(line => lines.push(line))]).then(([ended]) => ended)
  assert.equal(code, 0, bench.errors)
  const { rows } = JSON.parse(lines.join('\n')) as Printed
  assert.deepEqual(
    rows.filter(({ goal }) => goal !== undefined).map(({ row, goal }) => `${row} ${goal}`),
    [
      'node:http, log off <= 1.2',
      'node:http, log off, repeated tokens <= 1.2',
      'node:http, log on <= 1.5',
      'Koa, log off <= 1.8',
      'Koa, log off, repeated tokens <= 1.8',
      'Koa, log on <= 2',
      'node:http, log off, all tenants in turn <= 1.1',
    ],
  )
  const peer = nameOfPeer(CONNECT_PEER)
  assert.equal(rows.filter(({ row }) => row.startsWith(peer)).length, 2)
  for (const { row, ratio, n } of rows) {
    if (row.startsWith(peer) && findPeer(CONNECT_PEER) === undefined) assert.match(n, /^not installed/, row)
    else assert.ok(Number.isFinite(ratio), `${row} has figures`)
  }
})
