// `npm run bench` with minimal rounds: every row is measured, `--json` prints data only, wrong arguments are refused.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const PROGRAM = ['--conditions=partywall-source', '--import', 'tsx', 'bench/main.ts']
const ROWS = {
  store: [
    'store get, walled',
    'store get, walled',
    'store set, walled, durable',
    '4 coalesced keys',
    '8 coalesced keys',
    '16 coalesced keys',
  ],
  webhook: [
    'webhook acked: authenticated, durable, 2xx',
    'webhook acked while the work runs',
    'webhook done',
    'ack to handler start, 300/s',
    'ack to handler start, idle',
  ],
}

interface Printed {
  readonly machine: { readonly node: string }
  readonly rows: readonly {
    readonly row: string
    readonly ratio?: number
    readonly nodeUs?: number
    readonly p50Ms?: number
    readonly met: boolean
  }[]
}

for (const [family, expected] of Object.entries(ROWS)) {
  test(`the bench measures every row of the ${family}`, async () => {
    const { code, stdout, stderr } = await bench(['--only', family, '--rounds', '1', '--ops', '100', '--json'])
    assert.equal(code, 0, stderr)
    const { machine, rows } = JSON.parse(stdout) as Printed
    assert.equal(machine.node, process.version)
    assert.deepEqual(
      rows.map(({ row }) => row),
      expected,
    )
    for (const { row, ratio, nodeUs, p50Ms, met } of rows) {
      assert.ok(Number.isFinite(ratio ?? p50Ms), `${row} has a figure`)
      if (ratio !== undefined) assert.ok((nodeUs ?? 0) > 0, `${row} has processor time`)
      assert.equal(typeof met, 'boolean')
    }
  })
}

test('a loaded spare answers in a tenth of a true cold start, a warm call in two echoes; each row of functions has its figure', async () => {
  const { code, stdout, stderr } = await bench(['--only', 'sandbox', '--rounds', '3', '--ops', '200', '--json'])
  assert.equal(code, 0, stderr)
  const rows = new Map(
    (JSON.parse(stdout) as { rows: readonly { row: string; value: number; ratio?: number }[] }).rows.map(row => [
      row.row,
      row,
    ]),
  )
  const figureOf = (row: string): number => rows.get(row)?.value ?? Number.NaN
  assert.ok(figureOf('function: first answer, spare ready') < figureOf('function: true cold start') / 10, stdout)
  assert.ok((rows.get('function: warm call')?.ratio ?? Number.NaN) < 2, stdout)
  for (const row of [
    'loopback echo, keep-alive',
    'floor: start and end of /bin/true',
    'function: an idle instance (PSS)',
  ])
    assert.ok(figureOf(row) > 0, row)
})

test('the bench refuses what it does not know, and says what it takes', async () => {
  for (const wrong of [
    ['--rounds', '0'],
    ['--only', 'toString'],
  ]) {
    const { code, stdout, stderr } = await bench(wrong)
    assert.equal(code, 2, wrong.join(' '))
    assert.equal(stdout, '')
    assert.match(stderr, /npm run bench/)
  }
})

test('the bench fails when there is no server to measure on', async () => {
  const { code, stdout } = await bench(['--only', 'webhook', '--json'], {
    PARTYWALL_TEST_ADMIN_URL: 'postgres://nobody@127.0.0.1:1/none',
  })
  assert.equal(code, 1)
  assert.equal(stdout, '')
})

function bench(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  const options = { cwd: ROOT, env: { ...process.env, ...environment }, timeout: 120_000 }
  return new Promise(resolve => {
    execFile(process.execPath, [...PROGRAM, ...args], options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? Number.NaN), stdout, stderr })
    })
  })
}
