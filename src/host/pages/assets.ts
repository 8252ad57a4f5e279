/** The files that pages load: the script and styles of add-on pages, and those of the host's frame. */

import { readFileSync } from 'node:fs'
import type { Route } from '../server/reply.ts'

const SCRIPT = 'text/javascript; charset=utf-8'
const STYLE = 'text/css; charset=utf-8'

/** Path on the host: file in `page/`, type. There is no smaller form of the script, so both names have one content. */
const ASSETS: Readonly<Record<string, readonly [string, string]>> = {
  '/atlassian-connect/all.js': ['all.js', SCRIPT],
  '/atlassian-connect/all-debug.js': ['all.js', SCRIPT],
  '/atlassian-connect/all.css': ['all.css', STYLE],
  '/atlassian-connect/all-debug.css': ['all.css', STYLE],
  '/addons/assets/frame-bridge.js': ['frame-bridge.js', SCRIPT],
  '/addons/assets/frame.js': ['frame.js', SCRIPT],
  '/addons/assets/frame.css': ['frame.css', STYLE],
}

export const assetRoutes = (): Route[] =>
  Object.entries(ASSETS).map(([path, [file, type]]) => {
    const body = readFileSync(new URL(`../page/${file}`, import.meta.url), 'utf8')
    return { method: 'GET', path, handle: () => ({ status: 200, content: { type, body } }) }
  })
