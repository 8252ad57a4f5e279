/** The extensions of an installation that are there in a room: those of its descriptor, and those registered since. */

import type { Installation } from '../clients/installation.ts'
import type { HostRoom } from '../model.ts'
import type { HostState } from '../state.ts'
import type { Extension, ExtensionKind, ViewExtension } from './extension.ts'

/** @param room `undefined`: what is there without a room */
export function extensionsIn(
  state: HostState,
  installation: Installation,
  room: HostRoom | undefined,
): readonly Extension[] {
  const dynamic = state.extensions.list(installation).filter(one => one.room === undefined || one.room === room)
  return [...installation.descriptor.extensions, ...dynamic.map(one => one.extension)]
}

/** The one of this kind and key. @throws TypeError when there is none */
export function findExtension(
  state: HostState,
  installation: Installation,
  room: HostRoom | undefined,
  kind: ExtensionKind,
  key: string,
): Extension {
  const found = extensionsIn(state, installation, room).find(one => one.kind === kind && one.key === key)
  if (found === undefined) throw new TypeError(`the add-on has no ${kind} with the key ${key} here`)
  return found
}

/** The view that a glance or an action opens: the first with this key. */
export function findView(
  state: HostState,
  installation: Installation,
  room: HostRoom | undefined,
  key: string,
): ViewExtension | undefined {
  return extensionsIn(state, installation, room)
    .filter(one => one.kind !== 'glance' && one.kind !== 'action')
    .find(one => one.key === key)
}
