/** Which servers are compared, and which of their pages make which row. Data alone. */

import { fileURLToPath } from 'node:url'
import { HIPCHAT_PEER, nameOfPeer, peerEnvironment } from '../../test/support/peer.ts'
import type { Contender, ContenderRow } from '../pages/rows.ts'

export const SERVERS = ['bare.ts', 'partywall.ts'].map(file => new URL(file, import.meta.url))

export interface PageRow extends ContenderRow {
  readonly path: '/page' | '/refreshed' | '/stored'
  /** `fresh`: each token is seen once, as pages are opened; `repeated`: one of each tenant, as a page's own calls are. */
  readonly tokens: 'fresh' | 'repeated'
}

const partywall = (name: string, framework: 'koa' | 'listen', log: 'on' | 'off'): Contender => ({
  name,
  file: 'partywall.js',
  // Each its own app on the one database.
  environment: { APP_KEY: `com.example.${framework}-${log}`, FRAMEWORK: framework, REQUEST_LOG: log },
})

/** @param peer  folder of the library of before; left out: it takes no part */
export const contendersWith = (peer: string | undefined): readonly Contender[] => [
  { name: 'bare', file: 'bare.js', environment: {} },
  partywall('koa', 'koa', 'on'),
  partywall('koa quiet', 'koa', 'off'),
  partywall('listen', 'listen', 'on'),
  partywall('listen quiet', 'listen', 'off'),
  ...(peer === undefined
    ? []
    : [
        { name: 'peer', file: PEER_PROGRAM, environment: { ...peerEnvironment(peer), NODE_ENV: 'production' } },
        { name: 'peer quiet', file: PEER_PROGRAM, environment: { ...peerEnvironment(peer), NODE_ENV: 'test' } },
      ]),
]

const PEER_NAME = nameOfPeer(HIPCHAT_PEER)
const PEER_PROGRAM = fileURLToPath(new URL('peer.cjs', import.meta.url))
const FRESH = 'bare node:http, fresh tokens'
const REPEATED = 'bare node:http, repeated tokens'
const page = { path: '/page', tokens: 'fresh' } as const
const again = { path: '/page', tokens: 'repeated' } as const

/** The goals are for pages that read no store: the peer's store is a Map in its own process, ours is a database. */
export const PAGE_ROWS: readonly PageRow[] = [
  { row: FRESH, base: FRESH, contender: 'bare', ...page },
  { row: REPEATED, base: REPEATED, contender: 'bare', ...again },
  { row: 'Koa, request log on', base: FRESH, most: 2, contender: 'koa', ...page },
  { row: 'Koa, request log on, repeated tokens', base: REPEATED, most: 2, contender: 'koa', ...again },
  { row: 'Koa, request log off', base: FRESH, contender: 'koa quiet', ...page },
  { row: 'listen, request log on', base: FRESH, contender: 'listen', ...page },
  { row: 'listen, request log off', base: FRESH, contender: 'listen quiet', ...page },
  {
    row: 'Koa, request log on, refreshed token',
    base: FRESH,
    contender: 'koa',
    path: '/refreshed',
    tokens: 'fresh',
  },
  {
    row: 'Koa, request log on, one key read from PostgreSQL',
    base: FRESH,
    contender: 'koa',
    path: '/stored',
    tokens: 'fresh',
  },
  { row: `${PEER_NAME}, production, log on`, base: FRESH, contender: 'peer', ...page },
  { row: `${PEER_NAME}, production, log on, repeated tokens`, base: REPEATED, contender: 'peer', ...again },
  { row: `${PEER_NAME}, NODE_ENV=test, log off`, base: FRESH, contender: 'peer quiet', ...page },
  {
    row: `${PEER_NAME}, production, log on, one key read from memory`,
    base: FRESH,
    contender: 'peer',
    path: '/stored',
    tokens: 'fresh',
  },
]
