/** `partywall forge dev`: bundles an app, runs it for several tenants on simulated sites, and again after each change of a file. */

import path from 'node:path'
import type { Command } from 'commander'
import { isPartywallError } from '../../core/errors.ts'
import type { Logger } from '../../core/ports.ts'
import type { AppLogLine, Deployment } from '../../index.ts'
import type { Output } from '../command-line.ts'
import { serveCalls } from './control.ts'
import { readCount } from './flags.ts'
import { type ForgeWorld, openForgeWorld } from './world.ts'

interface DevFlags {
  readonly tenants: string
  readonly port: string
  readonly environment: string
}

/** Editors write a file in several steps, and several files at a time. */
const SETTLE_MS = 100
const IGNORED = /(?:^|[/\\])(?:node_modules|\.partywall|\.git)(?:[/\\]|$)/

export function addForgeDev(parent: Command, output: Output): void {
  parent
    .command('dev')
    .description('run a Forge app for several tenants on simulated sites, and again after each change')
    .argument('<folder>', 'the app’s folder, with manifest.yml')
    .option('--tenants <number>', 'installations', '3')
    .option('--port <number>', 'port of the app; the simulated products get the next one', '4000')
    .option('--environment <name>', 'environment of the app', 'development')
    .action((folder: string, flags: DevFlags) => dev(folder, flags, output))
}

async function dev(folder: string, flags: DevFlags, output: Output): Promise<void> {
  const world = await openForgeWorld({
    folder,
    tenants: readCount(flags.tenants, '--tenants', 1, 100),
    port: readCount(flags.port, '--port', 0, 65_534),
    environment: flags.environment,
    logger: outputLogger(output),
    onLog: (tenant, line) => output.out(`${logLine(tenant, line)}\n`),
  })
  const stopCalls = await serveCalls(world)
  const stopWatching = await watch(folder, () => redeploy(world, output))
  describe(world, folder, output)
  await untilSignal()
  output.out('stopping ...\n')
  await stopWatching()
  await stopCalls()
  await world.close()
}

/** @returns the way to stop; changes that come while one is worked on are worked on together, after it */
async function watch(folder: string, onChange: () => Promise<void>): Promise<() => Promise<void>> {
  const { watch: watchFiles } = await import('chokidar')
  const root = path.resolve(folder)
  const watcher = watchFiles(root, { ignoreInitial: true, ignored: file => IGNORED.test(path.relative(root, file)) })
  let timer: NodeJS.Timeout | undefined
  let working = Promise.resolve()
  watcher.on('all', () => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      working = working.then(onChange)
    }, SETTLE_MS)
  })
  await new Promise<void>(resolve => watcher.once('ready', resolve))
  return async () => {
    clearTimeout(timer)
    await watcher.close()
    await working
  }
}

async function redeploy(world: ForgeWorld, output: Output): Promise<void> {
  try {
    const deployment = await world.forge.deploy()
    if (deployment.kind === 'none') return
    // Here the developer is every site's administrator.
    for (const { installation } of world.tenants) await installation.upgrade()
    output.out(`${deployLine(deployment)}\n`)
  } catch (error) {
    if (!isPartywallError(error)) throw error
    output.error(`${error.code}: ${error.message}\n`)
  }
}

function describe({ forge, tenants, host }: ForgeWorld, folder: string, output: Output): void {
  const isolation =
    forge.boundary === 'bubblewrap'
      ? 'each installation in its own jailed process'
      : 'NOT ISOLATED: plain child processes, since there is no bubblewrap here'
  output.out(`${forge.name}, ${deployLine(forge.deployment)}; ${isolation}\n`)
  for (const warning of forge.deployment.warnings) output.error(`Warning: ${warning}\n`)
  output.out(`simulated products at ${host.url}\n`)
  const { triggers, webTriggers, scheduledTriggers, uiModules, functions } = forge.manifest
  for (const { name, issueKey, pageId, accountId } of tenants)
    output.out(`  ${name}: issue ${issueKey}, page ${pageId}, account ${accountId}\n`)
  const names = [
    ['functions', functions],
    ['modules with a resolver', uiModules.filter(({ resolver }) => resolver !== undefined)],
    ['web triggers', webTriggers],
    ['schedules', scheduledTriggers],
    ['triggers', triggers],
  ] as const
  for (const [what, list] of names)
    if (list.length > 0) output.out(`${what}: ${list.map(({ key }) => key).join(', ')}\n`)
  output.out(`\ncall it: partywall forge invoke ${folder} <function> '{"payload": 1}' --tenant tenant-1\n`)
  output.out('watching for changes; Ctrl-C stops\n')
}

const deployLine = ({ version, reasons }: Deployment): string =>
  `version ${version}${reasons.length === 0 ? '' : ` (${reasons.join('; ')})`}`

const logLine = (tenant: string, { level, functionKey, text }: AppLogLine): string =>
  text
    .split('\n')
    .map(line => `[${tenant}] ${functionKey} ${level}: ${line}`)
    .join('\n')

/** Warnings and errors of the platform, in the developer's words. */
export function outputLogger(output: Output): Logger {
  const tell = (event: string, { error, ...fields }: Readonly<Record<string, unknown>> = {}) => {
    const reason = error instanceof Error ? ` ${stackOf(error)}` : ''
    output.error(`${event} ${JSON.stringify(fields)}${reason}\n`)
  }
  return { debug: () => undefined, info: () => undefined, warn: tell, error: tell }
}

/** The app's own stack, where a function of it has thrown. */
function stackOf(error: Error): string {
  const stack = isPartywallError(error) ? error.details?.stack : undefined
  return typeof stack === 'string' ? `${error.message}\n${stack}` : error.message
}

const untilSignal = (): Promise<void> =>
  new Promise(resolve => {
    process.once('SIGINT', () => resolve())
    process.once('SIGTERM', () => resolve())
  })
