// What `npm start` plays: three tenants, some messages, a page each, attempts to get across the wall, an uninstall, a re-install.
import type { HipchatHost, HostRoom, HostUser, Installation } from 'partywall/host'
import type { Greeter } from './greeter.ts'

export interface Tenant {
  readonly name: string
  readonly room: HostRoom
  readonly user: HostUser
  readonly installation: Installation
}
export interface Refusal {
  readonly attempt: string
  readonly answer: string
}
export interface Report {
  readonly tenants: readonly { readonly name: string; readonly sees: string; readonly lastMessage: string }[]
  readonly refusals: readonly Refusal[]
}

export type Say = (line: string) => void

export async function playScenario(host: HipchatHost, greeter: Greeter, say: Say): Promise<Report> {
  const tenants = await installThree(host, greeter, say)
  const [kitchen, lobby, lab] = tenants
  await greet(kitchen, 3)
  await greet(lobby, 1)
  await greet(lab, 2)
  say('said /hello three times in the kitchen, once in the lobby, twice in the lab')
  const refusals = await attackTheWall(host, greeter, kitchen, lobby)
  for (const { attempt, answer } of refusals) say(`refused: ${attempt} -> ${answer}`)
  refusals.push(...(await leaveAndReturn(lobby, say)))
  return {
    refusals,
    tenants: await Promise.all(
      tenants.map(async tenant => ({
        name: tenant.name,
        sees: JSON.stringify(await readPanel(tenant.installation, tenant.user)),
        lastMessage: tenant.room.history.at(-1)?.message ?? '',
      })),
    ),
  }
}

async function installThree(host: HipchatHost, greeter: Greeter, say: Say): Promise<readonly [Tenant, Tenant, Tenant]> {
  const acme = host.createGroup({ name: 'Acme' })
  const globex = host.createGroup({ name: 'Globex' })
  const install = async (group: typeof acme, room: string, userName: string): Promise<Tenant> => {
    const user = group.createUser({ name: userName, mentionName: userName.toLowerCase() })
    const hostRoom = group.createRoom({ name: room })
    const installation = await host.install(greeter.descriptorUrl, { group, room: hostRoom })
    if (installation.state !== 'installed')
      throw new Error(`the install in ${room} was refused: ${installation.result?.status}`)
    say(`installed in ${group.name} / ${room}: tenant ${installation.oauthId}`)
    return { name: `${group.name} / ${room}`, room: hostRoom, user, installation }
  }
  return [
    await install(acme, 'Kitchen', 'Ada'),
    await install(acme, 'Lobby', 'Grace'),
    await install(globex, 'Lab', 'Edsger'),
  ]
}

/** Says `/hello` and waits for the add-on's notification each time. */
async function greet({ room, user }: Tenant, times: number): Promise<void> {
  for (let n = 0; n < times; n++) {
    const before = room.history.length
    await room.say(user, '/hello')
    const deadline = Date.now() + 10_000
    while (room.history.length < before + 2) {
      if (Date.now() > deadline) throw new Error(`no greeting in ${room.name}`)
      await new Promise(resolve => setTimeout(resolve, 5))
    }
  }
}

async function readPanel(installation: Installation, user: HostUser): Promise<unknown> {
  const response = await fetch(installation.pageUrl('/panel', { user }))
  return response.ok ? response.json() : describe(response)
}

async function attackTheWall(
  host: HipchatHost,
  greeter: Greeter,
  attacker: Tenant,
  victim: Tenant,
): Promise<Refusal[]> {
  const { baseUrl } = greeter.app
  const post = (path: string, body: object, headers: Record<string, string> = {}) =>
    fetch(baseUrl + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    })
  const forgedToken = attacker.installation.signRequest({ iss: victim.installation.oauthId })
  const ownToken = attacker.installation.signRequest()
  const message = {
    from: { id: 1, name: 'Mallory', mention_name: 'mallory' },
    message: '/hello',
    date: new Date().toISOString(),
    id: 'x',
    type: 'message',
  }
  const stolen = { oauthId: victim.installation.oauthId, groupId: victim.room.group.id, roomId: victim.room.id }
  const attempts: readonly (readonly [string, () => Promise<Response>])[] = [
    [
      'a token that names the lobby, signed with the kitchen’s secret',
      () => fetch(`${baseUrl}/panel?signed_request=${forgedToken}`),
    ],
    [
      'two tokens in one request',
      () => fetch(`${baseUrl}/panel?signed_request=${ownToken}`, { headers: { authorization: `JWT ${ownToken}` } }),
    ],
    [
      'a webhook for the lobby with the kitchen’s token',
      () =>
        post(
          '/addon/webhook',
          {
            event: 'room_message',
            oauth_client_id: stolen.oauthId,
            webhook_id: 1,
            item: { room: { id: victim.room.id, name: victim.room.name }, message },
          },
          { authorization: `JWT ${ownToken}` },
        ),
    ],
    [
      'an uninstall of the lobby by a stranger',
      () => fetch(`${baseUrl}/addon/installable/${stolen.oauthId}`, { method: 'DELETE' }),
    ],
    [
      'a re-install of the lobby with a secret of the attacker’s',
      () => post('/addon/installable', { ...stolen, oauthSecret: 'made-up', capabilitiesUrl: host.capabilitiesUrl }),
    ],
    [
      'an install from a host nobody allowed',
      () =>
        post('/addon/installable', {
          ...stolen,
          oauthSecret: 'made-up',
          capabilitiesUrl: 'http://169.254.169.254/v2/capabilities',
        }),
    ],
  ]
  const refusals: Refusal[] = []
  for (const [attempt, run] of attempts) {
    const response = await run()
    if (response.ok) throw new Error(`not refused: ${attempt}`)
    refusals.push({ attempt, answer: await describe(response) })
  }
  return refusals
}

async function leaveAndReturn(tenant: Tenant, say: Say): Promise<Refusal[]> {
  const oldPage = tenant.installation.pageUrl('/panel', { user: tenant.user })
  await tenant.installation.uninstall()
  const refused = await describe(await fetch(oldPage))
  say(`uninstalled ${tenant.name}; its page now answers ${refused}`)
  await tenant.installation.update()
  if (tenant.installation.state !== 'installed') throw new Error('the re-install was refused')
  say(`installed ${tenant.name} again: same id, new secret, its visits are back (kept for the retention time)`)
  return [
    { attempt: 'the lobby’s page after its uninstall', answer: refused },
    { attempt: 'a token signed before the re-install', answer: await describe(await fetch(oldPage)) },
  ]
}

async function describe(response: Response): Promise<string> {
  const text = await response.text()
  const code = /"code":"([A-Z_]+)"/.exec(text)?.[1]
  return code === undefined ? String(response.status) : `${response.status} ${code}`
}
