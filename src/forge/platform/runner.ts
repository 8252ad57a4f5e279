/**
 * Runs a function of an installation: finds the version it is on, hands the call to the sandbox under the installation's own name,
 * answers what the code asks through the broker, and gives what went wrong a code.
 */

import { randomUUID } from 'node:crypto'
import path from 'node:path'
import { runInContext, type TenantContext } from '../../core/context.ts'
import { isPartywallError, PartywallError } from '../../core/errors.ts'
import type { JsonValue } from '../../core/tenant.ts'
import type { CallLimits, IsolationPolicy, Sandbox, SandboxLogLine } from '../../sandbox/types.ts'
import { readableStack } from '../bundle/source-map.ts'
import { FETCH, type GuestCall, type GuestOutcome, type GuestRequest } from '../guest/protocol.ts'
import type { Caller, GuestService } from '../services.ts'
import type { Environment, Environments } from './environments.ts'
import { type Installation, installationOf } from './installation.ts'
import type { LoadedVersion, Versions } from './versions.ts'

export interface FunctionCall {
  /** `webtrigger`, `core:trigger` ..., as the SDK shows it. */
  readonly moduleType: string
  readonly moduleKey: string
  readonly functionKey: string
  readonly payload: JsonValue
  /** Account that the call is made for. */
  readonly accountId?: string
  readonly timeoutMs: number
  /** Of a queue's event: how many pushes led to it. */
  readonly chain?: number
}

/** One line of an app's log, and whose it is. */
export interface AppLogLine extends SandboxLogLine {
  readonly installationId: string
  readonly functionKey: string
  readonly invocationId: string
}

export interface RunnerDeps {
  readonly sandbox: Sandbox
  readonly environments: Environments
  readonly versions: Versions
  readonly broker: GuestService
  readonly policyOf: (environment: Environment) => IsolationPolicy
  readonly onLog: (line: AppLogLine) => void
}

export interface Runner {
  /**
   * @returns what the function returned, `undefined` where JSON knows no such value
   * @throws ERR_FORGE_FUNCTION what the app threw, its name and message in `details` · ERR_FORGE_FUNCTION_UNKNOWN ·
   *   ERR_FORGE_VERSION_MISSING · ERR_SANDBOX_* a limit was reached or the process ended
   */
  run(context: TenantContext, call: FunctionCall): Promise<JsonValue | undefined>
  /** The version that an installation runs: the newest minor one of the major one it agreed to. */
  versionOf(context: Pick<TenantContext, 'identity'>): Promise<LoadedVersion>
}

/** Requests to outside that a call may make, for each minute it may take, begun ones counted whole (protocol s. 5.3). */
const REQUESTS_PER_MINUTE = 100
const LOG_LINES_PER_MINUTE = 100
const MINUTE_MS = 60_000

export function createRunner(deps: RunnerDeps): Runner {
  const find = async ({ identity }: Pick<TenantContext, 'identity'>) => {
    const installation = installationOf(identity)
    const environment = await deps.environments.get(identity.app, identity.environment)
    const version = environment.versions.get(installation.major)
    if (version === undefined) throw new PartywallError('ERR_FORGE_VERSION_MISSING')
    return { installation, environment, loaded: await deps.versions.load(version) }
  }

  return {
    versionOf: async context => (await find(context)).loaded,
    async run(context, call) {
      const { installation, environment, loaded } = await find(context)
      const handler = handlerOf(loaded, call.functionKey)
      const invocationId = randomUUID()
      const isFarewell = context.mode === 'read-only'
      const caller = callerOf(context, installation, environment, loaded, call)
      const outcome = (await deps.sandbox.call({
        program: loaded.program,
        // Of this environment alone, and for good: a reinstallation is another identity. Last words are said in a process of their
        // own, since all others are ended by then.
        instance: isFarewell ? `${context.identity.uid} farewell` : context.identity.uid,
        policy: isFarewell ? 'invocation' : deps.policyOf(environment),
        payload: guestCallOf(caller, environment, handler, invocationId, call) as unknown as JsonValue,
        limits: limitsOf(call.timeoutMs),
        onRequest: (name, payload, signal) => {
          if (name !== FETCH) throw new PartywallError('ERR_FORGE_GUEST')
          const request = readRequest(payload)
          // What the process sends arrives in the context of whoever started it, which may have been anybody's call.
          return runInContext(context, () =>
            deps.broker.handle({ ...caller, signal }, request),
          ) as unknown as Promise<JsonValue>
        },
        onLog: line =>
          deps.onLog({ ...line, installationId: installation.id, functionKey: call.functionKey, invocationId }),
        signal: context.signal,
      })) as unknown as GuestOutcome
      const check = context.ensureLive()
      if (check !== undefined) await check
      return resultOf(outcome, call.functionKey, path.join(loaded.program.folder, loaded.program.entry))
    },
  }
}

function handlerOf({ manifest }: LoadedVersion, functionKey: string): string {
  const found = manifest.functions.find(({ key }) => key === functionKey)
  if (found !== undefined) return found.handler
  throw new PartywallError('ERR_FORGE_FUNCTION_UNKNOWN', {
    message: `the manifest has no function ${JSON.stringify(functionKey)}; it has ${manifest.functions.map(({ key }) => key).join(', ') || 'none'}`,
  })
}

function limitsOf(timeoutMs: number): Partial<CallLimits> {
  const minutes = Math.ceil(timeoutMs / MINUTE_MS)
  return {
    wallMs: timeoutMs,
    requests: minutes * REQUESTS_PER_MINUTE,
    logLines: minutes * LOG_LINES_PER_MINUTE,
  }
}

const callerOf = (
  context: TenantContext,
  { id, site }: Installation,
  environment: Environment,
  { manifest, text }: LoadedVersion,
  call: FunctionCall,
): Caller => ({
  context,
  manifest,
  appId: environment.appId,
  environment: environment.name,
  environmentId: environment.id,
  environmentType: environment.type,
  appVersion: text,
  installationId: id,
  site,
  ...(call.accountId === undefined ? {} : { accountId: call.accountId }),
  moduleKey: call.moduleKey,
  functionKey: call.functionKey,
  ...(call.chain === undefined ? {} : { chain: call.chain }),
  signal: context.signal,
})

function guestCallOf(
  caller: Caller,
  environment: Environment,
  handler: string,
  invocationId: string,
  call: FunctionCall,
): GuestCall {
  const { site, accountId, manifest } = caller
  const { license } = installationOf(caller.context.identity)
  const place = site.product === 'bitbucket' ? { workspaceId: site.cloudId } : { cloudId: site.cloudId }
  return {
    handler,
    payload: call.payload,
    context: {
      installContext: site.contextAri,
      ...(accountId === undefined ? {} : { principal: { accountId } }),
      ...(license === undefined ? {} : { license }),
      ...(site.product === 'bitbucket' ? { workspaceId: site.cloudId } : {}),
      installation: { id: caller.installationId, contexts: [{ ari: site.contextAri, ...place }] },
    },
    runtime: {
      appId: caller.appId,
      appVersion: caller.appVersion,
      environmentId: caller.environmentId,
      environmentType: caller.environmentType,
      invocationId,
      functionKey: call.functionKey,
      moduleType: call.moduleType,
      moduleKey: call.moduleKey,
      permissions: { scopes: manifest.permissions.scopes, external: manifest.permissions.external },
      trace: { traceId: invocationId.replaceAll('-', ''), spanId: invocationId.replaceAll('-', '').slice(0, 16) },
    },
    variables: Object.fromEntries([...environment.variables].map(([name, { value }]) => [name, value])),
    timeoutMs: call.timeoutMs,
  }
}

/** A guest may send anything: what is not a request is refused before a service sees it. */
function readRequest(payload: JsonValue): GuestRequest {
  const given = payload as Partial<GuestRequest> | null
  const isRequest =
    typeof given === 'object' &&
    given !== null &&
    isRecord(given.meta) &&
    typeof given.path === 'string' &&
    typeof given.method === 'string' &&
    /^[A-Za-z]{1,20}$/.test(given.method) &&
    Array.isArray(given.headers) &&
    given.headers.every(isPair) &&
    (given.body === undefined || isBody(given.body)) &&
    (given.redirect === undefined || ['follow', 'manual', 'error'].includes(given.redirect))
  if (isRequest) return given as GuestRequest
  throw new PartywallError('ERR_FORGE_GUEST', { message: 'the guest sent something that is not a request' })
}

const isRecord = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value)
const isPair = (value: unknown): boolean =>
  Array.isArray(value) && value.length === 2 && value.every(one => typeof one === 'string')
const isBody = (body: unknown): boolean => {
  if (!isRecord(body)) return false
  const { text, base64 } = body as { text?: unknown; base64?: unknown }
  return typeof text === 'string' || typeof base64 === 'string'
}

/** @param bundle  file whose positions a stack names; the error names the app's own */
function resultOf(outcome: GuestOutcome, functionKey: string, bundle: string): JsonValue | undefined {
  if (outcome.ok) return outcome.value
  const { name, message, stack, status } = outcome.error
  throw new PartywallError('ERR_FORGE_FUNCTION', {
    message: `function ${functionKey} threw ${name}: ${message}`,
    details: { name, message, status, stack: stack === undefined ? undefined : readableStack(stack, bundle) },
  })
}

/** True where the app's own code is to blame, and not a limit or the platform. */
export const isAppError = (error: unknown): boolean => isPartywallError(error, 'ERR_FORGE_FUNCTION')
