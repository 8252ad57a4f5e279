/** A Redis of the test's own, on a free port with a password, in memory alone. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { freePort } from '../e2e/hipchat-support.ts'

export interface TestRedis {
  /** With user and password. */
  readonly url: string
  close(): Promise<void>
}

/** Where the program lies, or nothing. */
export const findRedis = (): string | undefined =>
  [...(process.env.PATH ?? '').split(delimiter), '/usr/bin', '/usr/local/bin']
    .map(folder => join(folder, 'redis-server'))
    .find(existsSync)

export async function startRedis(program: string): Promise<TestRedis> {
  const port = await freePort()
  const settings = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--requirepass',
    'a secret/word',
    '--save',
    '',
    '--appendonly',
    'no',
  ]
  const child = spawn(program, settings, { stdio: ['ignore', 'pipe', 'inherit'] })
  await ready(child)
  return {
    url: `redis://default:${encodeURIComponent('a secret/word')}@127.0.0.1:${port}/3`,
    async close() {
      child.removeAllListeners('exit')
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      await ended
    },
  }
}

async function ready(child: ChildProcess): Promise<void> {
  let log = ''
  await new Promise<void>((resolve, reject) => {
    child.stdout?.on('data', (chunk: Buffer) => {
      log += chunk.toString()
      if (log.includes('Ready to accept connections')) resolve()
    })
    child.once('error', reject)
    child.once('exit', code => reject(new Error(`redis-server ended with ${code}: ${log}`)))
  })
}
