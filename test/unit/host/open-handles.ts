// Run by host.test.ts in a process of its own: opens everything a host can hold, closes it, and must end by itself.
import { startHipchatHost } from '../../../src/host/index.ts'
import { startFakeAddon, tokenFor } from './fake-addon.ts'

const host = await startHipchatHost({ retryDelaysMs: [600_000] })
const addon = await startFakeAddon()
const capabilities = {
  ...(addon.descriptor.capabilities as object),
  webhook: [{ url: `${addon.url}/hook`, event: 'room_message' }],
}
addon.answers.set('POST /hook', () => ({ status: 500 }))
const group = host.createGroup({ name: 'Acme' })
const room = group.createRoom({ name: 'Lobby' })
const installation = await host.install({ ...addon.descriptor, capabilities }, { group, room })
await room.say(group.owner, 'to be retried')
const token = await tokenFor(host, installation)
const calls: Promise<unknown>[] = []
for (const effect of [{ kind: 'delay', ms: 600_000 }, { kind: 'hang' }] as const) {
  const arrived = new Promise<void>(resolve => {
    const stop = host.on('request', () => {
      stop()
      resolve()
    })
  })
  host.faults.inject({ at: 'rest', effect, times: 1 })
  calls.push(
    fetch(`${host.url}/v2/probe?auth_token=${token}`).then(
      () => 'answered',
      () => 'cut',
    ),
  )
  if (effect.kind === 'hang') await arrived
}
// The add-on never answers the last message.
addon.answers.set('POST /hook', () => new Promise<never>(() => undefined))
const unanswered = room.say(group.owner, 'nobody answers').then(({ deliveries }) => deliveries[0]?.attempts[0]?.failure)
await host.close()
await host.close()
const outcome = [await unanswered, ...(await Promise.all(calls))]
if (outcome.join() !== 'unreachable,cut,cut' && outcome.join() !== 'unreachable,answered,cut') {
  throw new Error(`unexpected: ${outcome.join()}`)
}
await addon.close()
console.log('closed')
