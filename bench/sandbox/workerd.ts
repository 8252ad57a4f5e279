/** The peer: workerd with its loader, an isolate for each tenant in one process. Fetched from npm on demand, started here, called over HTTP. */

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { freePort } from '../../test/support/free-port.ts'
import { findPeer, installPeer } from '../../test/support/peer.ts'
import { bundleApp } from './program.ts'

const PEER = {
  folder: 'workerd',
  packages: { '@cloudflare/workerd-linux-64': '1.20261117.1' },
  main: '@cloudflare/workerd-linux-64',
  compiles: false,
}

export interface Workerd {
  readonly pid: number
  call(tenant: string, payload: unknown): Promise<unknown>
  close(): void
}

const GATEWAY = `
const WRAP = "import app from 'app.cjs'; export default { async fetch(request) { return Response.json(await app.handler(await request.json())) } }"
export default {
  async fetch(request, env) {
    const tenant = new URL(request.url).pathname.slice(1)
    const worker = env.LOADER.get(tenant, () => ({
      compatibilityDate: '2026-06-01',
      compatibilityFlags: ['nodejs_compat'],
      mainModule: 'main.js',
      modules: { 'main.js': WRAP, 'app.cjs': { cjs: env.APP } },
      env: {},
      globalOutbound: null,
    }))
    return worker.getEntrypoint().fetch(request)
  },
}
`
const configOf = (port: number) => `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "gateway", worker = (
    modules = [(name = "gateway.js", esModule = embed "gateway.js")],
    compatibilityDate = "2026-06-01", compatibilityFlags = ["nodejs_compat", "experimental"],
    bindings = [(name = "LOADER", workerLoader = ()), (name = "APP", text = embed "app.txt")]))],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "gateway")]);
`

/** @returns `undefined` where it is not installed and nobody asked for it */
export async function startWorkerd(install: boolean, post: Post): Promise<Workerd | undefined> {
  const packages = install ? await installPeer(PEER) : findPeer(PEER)
  if (packages === undefined) return undefined
  const folder = await mkdtemp(path.join(tmpdir(), 'pw-bench-workerd-'))
  const port = await freePort()
  const { file } = await bundleApp(true)
  await writeFile(path.join(folder, 'gateway.js'), GATEWAY)
  await writeFile(path.join(folder, 'app.txt'), await readFile(file))
  await writeFile(path.join(folder, 'config.capnp'), configOf(port))
  const program = path.join(packages, 'node_modules', PEER.main, 'bin/workerd')
  const child = spawn(program, ['serve', '--experimental', path.join(folder, 'config.capnp')], { stdio: 'ignore' })
  const call = (tenant: string, payload: unknown) => post(port, `/${tenant}`, payload)
  await answers(child, () => call('first', { items: [{ n: 1 }] }))
  return { pid: child.pid ?? -1, call, close: () => child.kill('SIGKILL') }
}

export type Post = (port: number, target: string, payload: unknown) => Promise<unknown>

async function answers(child: ChildProcess, call: () => Promise<unknown>): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    try {
      await call()
      return
    } catch (error) {
      if (tries > 100 || child.exitCode !== null) throw error
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }
}
