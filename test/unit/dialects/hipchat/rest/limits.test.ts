// The host's limits as it tells them: kept from every answer, in errors, and as the time to wait.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RateLimit } from '../../../../../src/dialects/hipchat/rest/rate-limit.ts'
import { ready } from '../client-world.ts'
import { answer } from '../world.ts'

const START = 1_700_000_000
const limits = (name: string, remaining: number, seconds: number) => ({
  [`x-${name}-limit`]: '500',
  [`x-${name}-remaining`]: String(remaining),
  [`x-${name}-reset`]: String(START + seconds),
})

test('the last word on each limit can be read', async () => {
  const { world, run } = await ready()
  let headers: Record<string, string> = {}
  world.intercept = ({ url }) => (url.endsWith('/token') ? undefined : answer(204, undefined, headers))
  const seen: (RateLimit | undefined)[] = []
  await run(async ({ tenantClient }) => {
    const send = async (next: Record<string, string>) => {
      headers = next
      await tenantClient.sendNotification(5, 'Hi')
      seen.push(tenantClient.rateLimit, tenantClient.floodControl)
    }
    await send({})
    await send({ ...limits('ratelimit', 499, 300), ...limits('floodcontrol', 29, 60) })
    await send(limits('ratelimit', 498, 300))
    await send({ ...limits('ratelimit', 1, 300), 'x-ratelimit-remaining': 'many' })
  })
  const at = (remaining: number, seconds: number) => ({
    limit: 500,
    remaining,
    resetAt: new Date((START + seconds) * 1000),
  })
  const flood = at(29, 60)
  assert.deepEqual(seen, [undefined, undefined, at(499, 300), flood, at(498, 300), flood, at(498, 300), flood])
})

test('of two limits the one that is used up says how long to wait', async () => {
  const { world, run } = await ready()
  const waits: readonly (readonly [Record<string, string>, number])[] = [
    [{ ...limits('ratelimit', 400, 290), ...limits('floodcontrol', 0, 40) }, 40],
    [{ ...limits('ratelimit', 0, 290), ...limits('floodcontrol', 20, 40) }, 290],
    [{ ...limits('ratelimit', 0, 290), ...limits('floodcontrol', 0, 40) }, 290],
    [{ ...limits('ratelimit', 3, 30), ...limits('floodcontrol', 3, 40) }, 40],
    [{}, 60],
  ]
  for (const [headers, wait] of waits) {
    world.intercept = ({ url }) => (url.endsWith('/token') ? undefined : answer(429, undefined, headers))
    const error = await run(ctx => ctx.roomClient?.sendNotification('Hi')).catch(caught => caught)
    assert.deepEqual([error.code, error.retryAfterSeconds], ['ERR_HOST_RATE_LIMITED', wait])
  }
})

test('an error tells the limits of its answer', async () => {
  const { world, run } = await ready()
  const headers = { ...limits('ratelimit', 0, 290), ...limits('floodcontrol', 3, 40) }
  const body = { error: { code: 429, type: 'Too Many Requests', message: 'Rate limit exceeded.' } }
  world.intercept = ({ url }) => (url.endsWith('/token') ? undefined : answer(429, body, headers))
  const error = await run(ctx => ctx.roomClient?.getRoom()).catch(caught => caught)
  assert.deepEqual(error.details, {
    status: 429,
    method: 'GET',
    hostMessage: 'Rate limit exceeded.',
    type: 'Too Many Requests',
    rateLimit: 500,
    rateRemaining: 0,
    rateReset: START + 290,
    floodLimit: 500,
    floodRemaining: 3,
    floodReset: START + 40,
  })
})
