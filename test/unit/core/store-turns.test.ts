import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTurns } from '../../../src/core/store-turns.ts'

test('a turn that does not end holds nobody for longer than the limit', async () => {
  const turns = createTurns(20)
  let release = (): void => undefined
  const stuck = turns.run('key', () => new Promise<void>(resolve => (release = resolve)))
  assert.equal(await turns.run('key', async () => 'went on'), 'went on')
  release()
  await stuck
})

test('a failing turn lets the next one in', async () => {
  const turns = createTurns()
  await assert.rejects(
    turns.run('key', () => Promise.reject(new RangeError('no'))),
    RangeError,
  )
  assert.equal(await turns.run('key', async () => 1), 1)
})

test('what a turn left behind may take another turn of the same key once that one is over', async () => {
  const turns = createTurns()
  let later: Promise<string> | undefined
  let go = (): void => undefined
  const signal = new Promise<void>(resolve => (go = resolve))
  await turns.run('key', async () => {
    later = signal.then(() => turns.run('key', async () => 'later'))
  })
  go()
  assert.equal(await later, 'later')
})

test('a turn inside another of the same key is refused, of another key it does not wait', async () => {
  const turns = createTurns(60_000)
  await turns.run('a', async () => {
    await assert.rejects(
      turns.run('a', async () => 1),
      { code: 'ERR_UPDATE_REENTRANT' },
    )
  })
  const cross = (one: string, other: string) => turns.run(one, () => turns.run(other, async () => one))
  assert.deepEqual(await Promise.all([cross('a', 'b'), cross('b', 'a')]), ['a', 'b'])
})
