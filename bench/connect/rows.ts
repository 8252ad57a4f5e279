/** Which servers are compared on a Connect page, and which requests make which row. Data alone. */

import { fileURLToPath } from 'node:url'
import { CONNECT_PEER, nameOfPeer, peerEnvironment } from '../../test/support/peer.ts'
import type { Contender, ContenderRow } from '../pages/rows.ts'

export const SERVERS = ['bare.ts', 'partywall.ts'].map(file => new URL(file, import.meta.url))

export interface PageRow extends ContenderRow {
  /** `fresh`: each token is seen once, as pages are opened; `repeated`: one of each tenant. */
  readonly tokens: 'fresh' | 'repeated'
  /** How many tenants take turns; left out: all that were installed by requests. */
  readonly tenants?: number
  /** Of the tenants that were written into the database instead: each request another one. */
  readonly seeded?: boolean
}

const partywall = (framework: string, log: 'on' | 'off'): Contender => ({
  name: `${framework} ${log}`,
  file: 'partywall.js',
  // Each its own app on the one database.
  environment: { APP_KEY: `com.example.${framework}-${log}`, FRAMEWORK: framework, REQUEST_LOG: log },
})

/** Gets the many tenants. */
export const SEEDED = partywall('listen', 'off')

/** @param peer  folder of the framework of before; left out: it takes no part */
export const contendersWith = (peer: string | undefined): readonly Contender[] => [
  { name: 'bare', file: 'bare.js', environment: {} },
  SEEDED,
  ...['listen', 'koa'].map(framework => partywall(framework, 'on')),
  ...['koa', 'express', 'fastify', 'hono'].map(framework => partywall(framework, 'off')),
  ...(peer === undefined
    ? []
    : [{ name: 'peer', file: PEER_PROGRAM, environment: { ...peerEnvironment(peer), NODE_ENV: 'production' } }]),
]

const PEER_PROGRAM = fileURLToPath(new URL('../../test/edges/peer/app.cjs', import.meta.url))
const PEER = nameOfPeer(CONNECT_PEER)
const FRESH = 'bare node:http, fresh tokens'
const REPEATED = 'bare node:http, repeated tokens'
const ONE = 'node:http, log off, one tenant'

const fresh = (contender: string) => ({ base: FRESH, contender, tokens: 'fresh' }) as const
const repeated = (contender: string) => ({ base: REPEATED, contender, tokens: 'repeated' }) as const

export const PAGE_ROWS: readonly PageRow[] = [
  { row: FRESH, ...fresh('bare') },
  { row: REPEATED, ...repeated('bare') },
  { row: 'node:http, log off', most: 1.2, ...fresh('listen off') },
  { row: 'node:http, log off, repeated tokens', most: 1.2, ...repeated('listen off') },
  { row: 'node:http, log on', most: 1.5, ...fresh('listen on') },
  { row: 'Koa, log off', most: 1.8, ...fresh('koa off') },
  { row: 'Koa, log off, repeated tokens', most: 1.8, ...repeated('koa off') },
  { row: 'Koa, log on', most: 2, ...fresh('koa on') },
  { row: 'Fastify, log off', ...fresh('fastify off') },
  { row: 'Hono, log off', ...fresh('hono off') },
  { row: 'Express, log off', ...fresh('express off') },
  { row: `${PEER}, production, log off`, ...fresh('peer') },
  { row: `${PEER}, production, log off, repeated tokens`, ...repeated('peer') },
  { row: ONE, base: ONE, contender: SEEDED.name, tokens: 'fresh', tenants: 1 },
  { row: 'node:http, log off, all tenants in turn', base: ONE, most: 1.1, contender: SEEDED.name, tokens: 'fresh' },
  {
    row: 'node:http, log off, each request the first of its tenant',
    base: ONE,
    contender: SEEDED.name,
    tokens: 'fresh',
    seeded: true,
  },
]
