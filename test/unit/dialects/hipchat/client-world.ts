/** An add-on with one installation, whose page runs what a test hands to it: there `tenantClient` is. */

import assert from 'node:assert/strict'
import type { HipchatPageContext } from '../../../../src/dialects/hipchat/handler-context.ts'
import type { HipchatAddonOptions } from '../../../../src/dialects/hipchat/options.ts'
import { createWorld, view, type World } from './world.ts'

/** Runs `work` in a page of tenant `a`. */
export async function inPage(
  world: World,
  box: { work?: (ctx: HipchatPageContext) => unknown },
  work: (ctx: HipchatPageContext) => unknown,
  status = 204,
) {
  let failure: unknown
  box.work = async ctx => {
    try {
      await work(ctx)
    } catch (error) {
      failure = error
    }
  }
  const made = await world.request(view('GET', '/run', { headers: { 'x-acpt': world.sign('a') } }))
  if (failure !== undefined) throw failure
  assert.equal(made.status, status)
}

export async function ready(options: Partial<HipchatAddonOptions> = {}) {
  const box: { work?: (ctx: HipchatPageContext) => unknown } = {}
  const world = createWorld(options, addon => addon.page('/run', ctx => box.work?.(ctx)))
  await world.install('a')
  world.calls.length = 0
  return {
    world,
    run: (work: (ctx: HipchatPageContext) => unknown, status?: number) => inPage(world, box, work, status),
  }
}
export const tokenCalls = (world: World) => world.calls.filter(call => call.url.endsWith('/oauth/token'))
export const apiCalls = (world: World) => world.calls.filter(call => !call.url.endsWith('/oauth/token'))
