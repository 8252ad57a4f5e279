/** `partywall forge report`: what an app keeps of one tenant where another can meet it. Exit code 1 where something is found. */

import type { Command } from 'commander'
import { PartywallError } from '../../core/errors.ts'
import type { JsonValue } from '../../core/tenant.ts'
import type { Leak, PolicyReport, ReportCall } from '../../index.ts'
import type { Output } from '../command-line.ts'
import { outputLogger } from './dev.ts'
import { readJson } from './flags.ts'
import { openForgeWorld } from './world.ts'

interface ReportFlags {
  readonly call: readonly string[]
  readonly json?: boolean
}

const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value]

export function addForgeReport(parent: Command, output: Output): void {
  parent
    .command('report')
    .description('find what a Forge app keeps between tenants')
    .argument('<folder>', 'the app’s folder')
    .option(
      '--call <call>',
      'function of the resolver and its payload, such as: remember {"text":"{{tenant}}"}; may be repeated. Default: what the manifest names',
      collect,
      [],
    )
    .option('--json', 'print data only')
    .action((folder: string, flags: ReportFlags) => report(folder, flags, output))
}

async function report(folder: string, flags: ReportFlags, output: Output): Promise<void> {
  const world = await openForgeWorld({
    folder,
    tenants: 0,
    port: 0,
    environment: 'development',
    logger: outputLogger(output),
    onLog: () => undefined,
  })
  try {
    const calls = flags.call.map(readCall)
    const found = await world.forge.report(calls.length === 0 ? undefined : calls)
    if (flags.json === true) output.out(`${JSON.stringify(found, null, 2)}\n`)
    else for (const policy of [found.shared, found.installation]) print(policy, output)
    const count = found.shared.leaks.length + found.installation.leaks.length
    if (count > 0) {
      throw new PartywallError('ERR_FORGE_LEAKS', { message: `${count} places keep what belongs to one tenant` })
    }
  } finally {
    await world.close()
  }
}

function readCall(text: string): ReportCall {
  const [, name = '', payload] = /^(\S+)\s*(.*)$/s.exec(text) ?? []
  return { invoke: name, ...(payload ? { payload: readJson(payload, '--call') as JsonValue } : {}) }
}

function print({ policy, leaks, failures }: PolicyReport, output: Output): void {
  const what = policy === 'shared' ? 'in a process that serves several installations' : 'in processes of their own'
  output.out(`${what}: ${leaks.length === 0 ? 'nothing is kept' : `${leaks.length} leaks`}\n`)
  for (const leak of leaks) output.out(`  ${lineOf(leak)}\n`)
  for (const failure of failures) output.out(`  could not be called: ${failure}\n`)
}

const lineOf = ({ kind, name, at, source }: Leak): string =>
  `${kind} ${name}${at}${source === undefined ? '' : ` (${source})`}`
