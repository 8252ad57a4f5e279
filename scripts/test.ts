// `npm test`: brings up the PostgreSQL servers that this machine has, runs every test file, prints one closing line.
//
//   npm test -- --only hipchat        files whose path contains the word
//   PARTYWALL_TEST_ADMIN_URLS=a,b     use these administrator URLs instead of starting servers (fresh databases are made in them)
//   PARTYWALL_REQUIRE_ALL=1           what is missing on this machine is a failure, not a notice
//   PARTYWALL_SCALE=ci                larger rounds
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { startTestServers } from '../test/support/servers.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const { values } = parseArgs({ options: { only: { type: 'string' }, concurrency: { type: 'string', default: '2' } } })

const files = listTests(path.join(root, 'test')).filter(file => values.only === undefined || file.includes(values.only))
if (files.length === 0) {
  console.error(`no test file matches ${JSON.stringify(values.only)}`)
  process.exit(2)
}

const scratch = mkdtempSync(path.join(tmpdir(), 'pw-test-'))
const servers = await startTestServers()
let exitCode = 1
try {
  console.log(servers.urls.map(({ name }) => `PostgreSQL: ${name}`).join('\n'))
  exitCode = await runTests(path.join(scratch, 'results.tap'))
  const tap = readFileSync(path.join(scratch, 'results.tap'), 'utf8')
  const count = (word: string) => Number(tap.match(new RegExp(`^# ${word} (\\d+)$`, 'm'))?.[1] ?? 0)
  const failed = count('fail') + count('cancelled')
  const skipped = count('skipped') + count('todo')
  if (skipped > 0 && process.env.PARTYWALL_REQUIRE_ALL === '1') exitCode = 1
  if (count('pass') === 0 || failed > 0) exitCode = exitCode || 1
  console.log(`\n${count('pass')} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
} finally {
  await servers.close()
  rmSync(scratch, { recursive: true, force: true })
}
process.exit(exitCode)

function runTests(tapFile: string): Promise<number> {
  const child = spawn(
    process.execPath,
    [
      ...[
        '--conditions=partywall-source',
        '--import',
        'tsx',
        '--test',
        `--test-concurrency=${values.concurrency}`,
        // Of a whole file: the rounds of the gate take longer.
        `--test-timeout=${process.env.PARTYWALL_SCALE === 'ci' ? 1_500_000 : 300_000}`,
      ],
      ...['--test-reporter=spec', '--test-reporter-destination=stdout'],
      ...['--test-reporter=tap', `--test-reporter-destination=${tapFile}`],
      ...files,
    ],
    {
      cwd: root,
      stdio: 'inherit',
      env: {
        ...process.env,
        PARTYWALL_TEST_ADMIN_URL: servers.urls[0]?.url ?? '',
        PARTYWALL_TEST_ADMIN_URLS: servers.urls.map(({ url }) => url).join(','),
      },
    },
  )
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
  return new Promise(resolve => child.on('close', code => resolve(code ?? 1)))
}

function listTests(folder: string): string[] {
  return readdirSync(folder)
    .map(name => path.join(folder, name))
    .flatMap(name => (statSync(name).isDirectory() ? listTests(name) : name.endsWith('.test.ts') ? [name] : []))
    .sort()
}
