/**
 * The scene of an attack: the probe, two hosts it trusts, one it must never touch, and the promises that hold for every
 * single answer and log line, checked at the end of each file.
 */

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { type Answer, type Call, type Client, createClient } from './client.ts'
import { type FakeHost, type HostClient, startFakeHost } from './fake-host.ts'
import { type Claims, sign } from './forge.ts'
import { createProbe, type Probe, type ProbeOptions } from './probe.ts'

export interface Tenant {
  readonly id: string
  /** The secret that the app should hold now. */
  secret: string
  readonly host: FakeHost
  readonly client: HostClient
}

export interface Scene {
  probe: Probe
  http: Client
  /** Trusted. */
  host: FakeHost
  /** Trusted as well, and another origin. */
  other: FakeHost
  /** Not trusted: a connection to it is a finding. */
  trap: FakeHost
  /** Texts that may be in no log line and in no answer that this scene did not sign itself. */
  readonly secrets: Set<string>
  readonly findings: string[]
}

export interface InstallChanges {
  readonly id?: string
  readonly secret?: string
  readonly host?: FakeHost
}

/**
 * Sets the scene before the tests of a file.
 *
 * @param prepare  runs when everything is up, before the first test
 */
export function setScene(options: Omit<ProbeOptions, 'hosts'> = {}, prepare?: (scene: Scene) => Promise<void>): Scene {
  const scene = { secrets: new Set<string>(), findings: [] as string[] } as unknown as Scene
  before(async () => {
    scene.host = await startFakeHost()
    scene.other = await startFakeHost()
    scene.trap = await startFakeHost()
    scene.probe = await createProbe({ ...options, hosts: [scene.host.authority, scene.other.authority] })
    scene.http = createClient(scene.probe.port, (target, answer) => inspect(scene, target, answer))
    await prepare?.(scene)
  })
  after(async () => {
    scene.http?.close()
    await scene.probe?.dispose()
    await Promise.all([scene.host, scene.other, scene.trap].map(host => host?.stop()))
  })
  return scene
}

/** Call it last in a file: what must hold whatever the tests above have done. */
export function endScene(scene: Scene): void {
  test('17, 86: the process survived everything above', async () => {
    assert.equal(scene.probe.isAlive, true)
    assert.equal((await scene.http.send('/healthz')).status, 200)
  })
  test('H 84: no answer above was an unexplained 5xx, named the product or showed its inside', () => {
    assert.deepEqual(scene.findings, [])
  })
  test('C 33, C 35: nothing was ever fetched from an address outside the list', () => {
    assert.equal(scene.trap.connections, 0)
  })
  test('H 83: no log line holds a secret, an access token or a whole JWT, and each is one event', () => {
    const { output } = scene.probe
    assert.match(output, /"event":"request"/)
    collectSecrets(scene)
    const leaked = [...scene.secrets].filter(secret => output.includes(secret))
    assert.deepEqual(
      leaked.map(secret => linesWith(output, secret)[0]?.slice(0, 400)),
      [],
    )
    const odd = output.split('\n').filter(line => hasControlCharacter(line) || (line.startsWith('{') && !isJson(line)))
    assert.deepEqual(odd, [])
  })
  test('E 56: the database holds no secret, no access token and no request token in clear', async () => {
    collectSecrets(scene)
    const stored = await scene.probe.stored()
    assert.equal(stored.length > 1000, true, 'nothing was read')
    const clear = [...scene.secrets].filter(
      secret => stored.includes(secret) || stored.includes(Buffer.from(secret).toString('hex')),
    )
    assert.deepEqual(clear, [])
  })
}

function collectSecrets(scene: Scene): void {
  for (const host of [scene.host, scene.other]) {
    for (const [id, client] of host.clients) {
      for (const secret of client.secrets) {
        if (secret.length < 16) continue
        scene.secrets.add(secret).add(Buffer.from(`${id}:${secret}`).toString('base64'))
      }
      for (const token of client.issued) scene.secrets.add(token)
    }
  }
}

const newId = (): string => `client-${randomBytes(8).toString('hex')}`
export const newSecret = (): string => randomBytes(24).toString('base64url')

/** The body that a host posts for an installation. */
export function installBody(scene: Scene, changes: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  const secret = newSecret()
  return {
    oauthId: newId(),
    oauthSecret: secret,
    capabilitiesUrl: scene.host.capabilitiesUrl,
    groupId: 1,
    roomId: 7,
    ...changes,
  }
}

export const postInstall = (scene: Scene, body: unknown): Promise<Answer> =>
  scene.http.send('/hipchat/installable', { method: 'POST', body })

/** Installs a tenant as its host would; the host knows the client before it calls. */
export async function install(scene: Scene, changes: InstallChanges = {}): Promise<Tenant> {
  const host = changes.host ?? scene.host
  const tenant = { id: changes.id ?? newId(), secret: changes.secret ?? newSecret(), host }
  const client = host.client(tenant.id, tenant.secret)
  scene.secrets.add(tenant.secret)
  const body = installBody(scene, {
    oauthId: tenant.id,
    oauthSecret: tenant.secret,
    capabilitiesUrl: host.capabilitiesUrl,
  })
  const answer = await postInstall(scene, body)
  assert.equal(answer.status >= 200 && answer.status < 300, true, `install: ${answer.status} ${answer.text}`)
  return { ...tenant, client }
}

export const removeUrl = (id: string): string => `/hipchat/installable/${encodeURIComponent(id)}`

/** Removes a tenant as its host would: the client is forgotten first. */
export function uninstall(scene: Scene, tenant: Tenant): Promise<Answer> {
  tenant.client.secrets.clear()
  return scene.http.send(removeUrl(tenant.id), { method: 'DELETE' })
}

/** Signs as the tenant's host does, and remembers the token for the leak check. */
export async function tokenOf(scene: Scene, tenant: Tenant, claims: Claims = {}): Promise<string> {
  const token = await sign(tenant.id, tenant.secret, claims)
  scene.secrets.add(token)
  return token
}

/** A request with a fresh token of the tenant. */
export async function as(scene: Scene, tenant: Tenant, target: string, call: Call = {}): Promise<Answer> {
  const authorization = `JWT ${await tokenOf(scene, tenant)}`
  return scene.http.send(target, { ...call, headers: { authorization, ...call.headers } })
}

/** A request with exactly this token in the documented header. */
export function withToken(scene: Scene, token: string, target = '/hipchat/whoami', call: Call = {}): Promise<Answer> {
  if (token.length >= 16) scene.secrets.add(token)
  return scene.http.send(target, { ...call, headers: { authorization: `JWT ${token}`, ...call.headers } })
}

/** Like `withToken`, and patient: an address that is refused too often is told 429 for a while, which is no verdict on the token. */
export async function judge(scene: Scene, token: string, target?: string, call?: Call): Promise<Answer> {
  for (let round = 0; ; round += 1) {
    const answer = await withToken(scene, token, target, call)
    if (answer.status !== 429 || round === 60) return answer
    await new Promise(resolve => setTimeout(resolve, 200))
  }
}

export async function expectWorks(scene: Scene, tenant: Tenant, message?: string): Promise<void> {
  const answer = await as(scene, tenant, '/hipchat/whoami')
  assert.equal(answer.status, 200, `${message ?? 'the tenant works'}: ${answer.status} ${answer.text}`)
  assert.deepEqual(answer.json, { tenant: tenant.id })
}

export async function expectRefused(scene: Scene, tenant: Tenant, message?: string): Promise<void> {
  const answer = await as(scene, tenant, '/hipchat/whoami')
  assert.equal([401, 403].includes(answer.status), true, `${message ?? 'refused'}: ${answer.status} ${answer.text}`)
}

export function expectStatus(answer: Answer, allowed: readonly number[], message = 'status'): void {
  assert.equal(allowed.includes(answer.status), true, `${message}: ${answer.status} ${answer.text.slice(0, 300)}`)
}

export const isOk = (answer: Answer): boolean => answer.status >= 200 && answer.status < 300
export const isRefusal = (answer: Answer): boolean => answer.status >= 400 && answer.status < 500

export const putValue = (scene: Scene, tenant: Tenant, key: string, value: unknown, scopes: readonly string[] = []) =>
  as(scene, tenant, kvUrl(key, scopes), { method: 'PUT', body: { value } })

export const getValue = (scene: Scene, tenant: Tenant, key: string, scopes: readonly string[] = []) =>
  as(scene, tenant, kvUrl(key, scopes))

export function kvUrl(key: string, scopes: readonly string[] = []): string {
  const parts = [`key=${encodeURIComponent(key)}`, ...scopes.map(scope => `scope=${encodeURIComponent(scope)}`)]
  return `/hipchat/kv?${parts.join('&')}`
}

/** Asks until it holds; fails with `what` after `timeoutMs`. */
export async function eventually(what: string, check: () => boolean | Promise<boolean>, timeoutMs = 10_000) {
  const deadline = performance.now() + timeoutMs
  while (!(await check())) {
    if (performance.now() > deadline) throw new Error(`did not happen within ${timeoutMs} ms: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

const INSIDE = [
  /node_modules/,
  /\bat [\w.<>]+ \(/,
  /\.ts:\d+/,
  /file:\/\//,
  /\/src\//,
  /ECONNREFUSED|ENOTFOUND/,
  /expected .*hash/i,
]

function inspect(scene: Scene, target: string, answer: Answer): void {
  const where = `${answer.status} ${target.slice(0, 80)}: ${answer.text.slice(0, 200)}`
  if (answer.status >= 500 && answer.status !== 503) scene.findings.push(`unexpected 5xx: ${where}`)
  if (answer.status === 503 && !/"code"|ERR_/.test(answer.text)) scene.findings.push(`503 without a code: ${where}`)
  if (INSIDE.some(pattern => pattern.test(answer.text))) scene.findings.push(`shows its inside: ${where}`)
  if (answer.headers['x-powered-by'] !== undefined || answer.headers.server !== undefined) {
    scene.findings.push(`banner: ${where}`)
  }
  if (answer.headers['access-control-allow-origin'] !== undefined) scene.findings.push(`open CORS: ${where}`)
  if (
    answer.text !== '' &&
    target.startsWith('/hipchat/whoami') &&
    !/no-store|private/.test(answer.headers['cache-control'] ?? '')
  ) {
    scene.findings.push(`may be cached: ${where}`)
  }
}

const linesWith = (output: string, text: string): string[] => output.split('\n').filter(line => line.includes(text))

function hasControlCharacter(line: string): boolean {
  return [...line].some(character => character < ' ' && character !== '\t')
}

function isJson(line: string): boolean {
  try {
    return typeof JSON.parse(line) === 'object'
  } catch {
    return false
  }
}
