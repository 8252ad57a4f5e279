/** The move of a tenant's data to another realm, as the app hears of it (protocol s. 11). */

import type { ConnectState } from '../state.ts'
import type { AppLifecycleResult, ConnectInstallation, RealmMoveOptions } from './installation.ts'
import { tellApp } from './tell-app.ts'

/** The realm is another one from the commit on; no `installed` follows. @returns every call of the move */
export async function moveRealm(
  state: ConnectState,
  installation: ConnectInstallation,
  realm: string,
  { fails = false }: RealmMoveOptions,
): Promise<readonly AppLifecycleResult[]> {
  const results: AppLifecycleResult[] = []
  const tell = async (phase: string): Promise<boolean> => {
    const body = { phase, realm, startTime: new Date(state.clock.now()).toISOString() }
    const result = await tellApp(state, installation, 'dare-migration', { body })
    results.push(result)
    return result.ok
  }
  const isGood = (await tell('schedule')) && (await tell('start')) && !fails
  if (isGood && (await tell('commit'))) installation.realm = realm
  else await tell('rollback')
  return results
}
