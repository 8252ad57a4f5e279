/** What comes along with the library, and what a reader of its package finds: defects 12, 27. */

import assert from 'node:assert/strict'
import type { DefectCase } from '../case.ts'

/** First versions without what is known against the ones before. */
const MENDED: Readonly<Record<string, readonly [version: string, what: string]>> = {
  'jwt-simple': ['0.5.3', 'CVE-2016-10555, the token chooses the algorithm'],
  lodash: ['4.17.21', 'prototype pollution'],
  hawk: ['9.0.1', 'CVE-2022-29167'],
  qs: ['6.2.4', 'CVE-2022-24999'],
}

/** Deprecated as a whole. */
const GIVEN_UP = new Set(['request', 'har-validator'])

export const PACKAGE_CASES: readonly DefectCase[] = [
  {
    defect: 12,
    name: 'no package that comes along was made for a Node of ten years ago',
    async run(target) {
      const all = await target.dependencies()
      const old = all.filter(({ node = '' }) => /^[~^]?0\.\d+(?:\.(?:\d+|x))?$/.test(node))
      const some = old.slice(0, 4).map(({ name, version, node }) => `${name} ${version} (${node})`)
      assert.equal(old.length, 0, `${old.length} of ${all.length} packages are pinned to one: ${some.join(', ')}`)
    },
  },
  {
    defect: 12,
    name: 'no package that comes along was given up by its authors',
    async run(target) {
      const found = (await target.dependencies()).filter(({ name }) => GIVEN_UP.has(name))
      const some = found.map(({ name, version }) => `${name} ${version}`)
      assert.deepEqual(some, [], [...new Set(some)].join(', '))
    },
  },
  {
    defect: 12,
    name: 'no package that comes along is older than a known mend',
    async run(target) {
      const all = await target.dependencies()
      const old = all.filter(({ name, version }) => isOlder(version, MENDED[name]?.[0]))
      const some = old.map(({ name, version }) => `${name} ${version} (${MENDED[name]?.[1]})`)
      assert.deepEqual(some, [], [...new Set(some)].join(', '))
    },
  },
  {
    defect: 27,
    name: 'the package has types',
    async run(target) {
      const { types, typings, exports } = await target.manifest()
      const isTyped = types !== undefined || typings !== undefined || JSON.stringify(exports ?? {}).includes('"types"')
      assert.ok(isTyped, 'its manifest names none')
    },
  },
]

function isOlder(version: string, than: string | undefined): boolean {
  if (than === undefined) return false
  const [own, other] = [version, than].map(text => text.split('.').map(Number.parseFloat))
  for (const index of [0, 1, 2]) {
    const difference = (own?.[index] ?? 0) - (other?.[index] ?? 0)
    if (difference !== 0) return difference < 0
  }
  return false
}
