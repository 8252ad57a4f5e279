/** `partywall forge invoke`: one call of an app, in the `forge dev` that runs, else in a world of its own. Prints the result as JSON. */

import { type Command, Option } from 'commander'
import { PartywallError } from '../../core/errors.ts'
import type { JsonObject, JsonValue } from '../../core/tenant.ts'
import type { Output } from '../command-line.ts'
import { KINDS, makeCall, type WantedCall } from './call.ts'
import { callRunning } from './control.ts'
import { outputLogger } from './dev.ts'
import { readJson } from './flags.ts'
import { openForgeWorld } from './world.ts'

interface InvokeFlags {
  readonly kind: WantedCall['kind']
  readonly tenant: string
  readonly module?: string
  readonly extension?: string
  readonly user: boolean
  readonly environment: string
}

export function addForgeInvoke(parent: Command, output: Output): void {
  parent
    .command('invoke')
    .description('call a function of a Forge app')
    .argument('<folder>', 'the app’s folder')
    .argument('<name>', 'function of the resolver; key in the manifest, or type of an event, with another --kind')
    .argument('[payload]', 'JSON')
    .addOption(new Option('--kind <kind>', 'what is called').choices(KINDS).default('resolver'))
    .option('--tenant <name>', 'whose call it is', 'tenant-1')
    .option('--module <key>', 'module whose resolver is called, where there are several')
    .option('--extension <json>', 'what the page says of its place')
    .option('--no-user', 'nobody is signed in')
    .option('--environment <name>', 'environment of the app, where no forge dev runs', 'development')
    .action((folder: string, name: string, payload: string | undefined, flags: InvokeFlags) =>
      invoke(folder, name, payload, flags, output),
    )
}

async function invoke(
  folder: string,
  name: string,
  payload: string | undefined,
  flags: InvokeFlags,
  output: Output,
): Promise<void> {
  const extension = flags.extension === undefined ? undefined : (readJson(flags.extension, '--extension') as JsonObject)
  const call: WantedCall = {
    tenant: flags.tenant,
    kind: flags.kind,
    name,
    isAnonymous: !flags.user,
    ...(payload === undefined ? {} : { payload: readJson(payload, 'the payload') }),
    ...(flags.module === undefined ? {} : { module: flags.module }),
    ...(extension === undefined ? {} : { extension }),
  }
  const running = await callRunning(folder, call)
  print(running === undefined ? await callAlone(folder, call, flags.environment, output) : running.value, output)
}

async function callAlone(
  folder: string,
  call: WantedCall,
  environment: string,
  output: Output,
): Promise<JsonValue | undefined> {
  const number = Number(/^tenant-([1-9]\d?)$/.exec(call.tenant)?.[1])
  if (Number.isNaN(number)) throw new PartywallError('ERR_CONFIG', { message: 'tenants are tenant-1 to tenant-99' })
  const world = await openForgeWorld({
    folder,
    tenants: number,
    port: 4000,
    environment,
    logger: outputLogger(output),
    onLog: (tenant, { level, text }) => output.error(`[${tenant}] ${level}: ${text}\n`),
  })
  try {
    return await makeCall(world, call)
  } finally {
    await world.close()
  }
}

const print = (value: JsonValue | undefined, output: Output): void =>
  output.out(value === undefined ? '' : `${JSON.stringify(value, null, 2)}\n`)
