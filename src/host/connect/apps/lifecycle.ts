/** Install and everything that follows: what the host does, in the documented order. */

import type { Product } from '../sites/product.ts'
import type { ConnectState } from '../state.ts'
import type { AppDescriptor } from './descriptor.ts'
import type {
  AppLifecycleResult,
  AppUninstallOptions,
  ConnectInstallation,
  InstallationFacts,
  SendOptions,
} from './installation.ts'
import { loadAppDescriptor } from './load-descriptor.ts'
import { tellApp } from './tell-app.ts'

export interface ConnectInstallOptions {
  /** Where the tenant's data is to stay: the app's address of this realm is used, where it has one. */
  readonly realm?: string
  readonly licence?: ConnectInstallation['licence']
}

/**
 * @param create makes the public object of an installation
 * @returns the installation; its `state` is `failed` when the app refused
 * @throws DescriptorError when there is nothing to install
 */
export async function installApp(
  state: ConnectState,
  descriptorUrl: string,
  product: Product,
  { realm, licence = 'active' }: ConnectInstallOptions,
  create: (facts: InstallationFacts) => ConnectInstallation,
): Promise<ConnectInstallation> {
  if (product.site.isDeleted) throw new TypeError('the site is deleted')
  const descriptor = await loadAppDescriptor(state, descriptorUrl)
  const former = product.installations.get(descriptor.key)
  if (former?.isInstalled === true) throw new TypeError('the app is installed already; reinstall or upgrade it')
  const sharedSecret = newSecret(state)
  const oauthClientId = descriptor.scopes.includes('ACT_AS_USER') ? newClientId(state) : undefined
  const installation = create({ product, descriptorUrl, descriptor, sharedSecret, oauthClientId, realm })
  installation.licence = licence
  state.installs.push(installation)
  // Kept even when it fails: what follows may be signed with the secret of an earlier life.
  product.installations.set(descriptor.key, installation)
  await bringIn(state, installation, {}, former && acceptedSecret(former))
  return installation
}

/** A new secret; the app hears of it, and its answer decides. */
export async function reinstall(
  state: ConnectState,
  installation: ConnectInstallation,
  options: SendOptions,
): Promise<AppLifecycleResult> {
  const preceding = acceptedSecret(installation)
  const { state: before, previousSecret, sharedSecret } = installation
  const kept = { previousSecret, sharedSecret }
  installation.previousSecret = sharedSecret
  installation.sharedSecret = newSecret(state)
  const result = await bringIn(state, installation, options, preceding)
  // A refused one changes nothing: the product goes on as before.
  if (!result.ok) Object.assign(installation, kept, { state: before })
  return result
}

export async function upgrade(
  state: ConnectState,
  installation: ConnectInstallation,
  descriptorUrl: string | undefined,
): Promise<AppLifecycleResult> {
  const url = descriptorUrl ?? installation.descriptorUrl
  const descriptor = await loadAppDescriptor(state, url)
  if (descriptor.key !== installation.appKey) throw new TypeError(`that is another app: ${descriptor.key}`)
  const kept = { descriptor: installation.descriptor, descriptorUrl: installation.descriptorUrl }
  const { dynamicModules, oauthClientId } = installation
  Object.assign(installation, { descriptor, descriptorUrl: url })
  if (descriptor.scopes.includes('ACT_AS_USER')) installation.oauthClientId ??= newClientId(state)
  if (clashes(descriptor, installation)) installation.dynamicModules = []
  const result = await reinstall(state, installation, {})
  if (!result.ok) Object.assign(installation, kept, { dynamicModules, oauthClientId })
  return result
}

export async function upgradeToForge(
  state: ConnectState,
  installation: ConnectInstallation,
): Promise<AppLifecycleResult> {
  const former = installation.installationId
  installation.installationId = `ari:cloud:ecosystem::installation/${state.random.uuid()}`
  const result = await reinstall(state, installation, {})
  if (!result.ok) installation.installationId = former
  return result
}

/** Told as a webhook: the app's answer changes nothing. */
export function switchTo(
  state: ConnectState,
  installation: ConnectInstallation,
  to: 'enabled' | 'disabled',
): Promise<AppLifecycleResult> {
  if (!installation.isInstalled) throw new TypeError(`the app is ${installation.state}`)
  installation.state = to
  return tellApp(state, installation, to)
}

/** The product is done with the app whatever it answers. */
export async function uninstallApp(
  state: ConnectState,
  installation: ConnectInstallation,
  { lateDisabled = false, tellApp: isTold = true }: AppUninstallOptions,
): Promise<AppLifecycleResult> {
  if (isTold && !lateDisabled && installation.state === 'enabled') await tellApp(state, installation, 'disabled')
  installation.state = 'uninstalled'
  state.accessTokens.revokeAll(installation)
  installation.webhooks.clear()
  state.views.dropAll(installation)
  state.deliveries.drop(delivery => delivery.installation === installation)
  if (!isTold) return { ...SILENT, body: {} }
  const result = await tellApp(state, installation, 'uninstalled')
  if (lateDisabled) await tellApp(state, installation, 'disabled', { token: 'none' })
  return result
}

const SILENT = { event: 'uninstalled', ok: true, status: undefined, failure: undefined, token: undefined } as const

async function bringIn(
  state: ConnectState,
  installation: ConnectInstallation,
  options: SendOptions,
  preceding: string | undefined,
): Promise<AppLifecycleResult> {
  // Products are called by the app as soon as it has the secret.
  installation.state = 'enabled'
  const result = await tellApp(state, installation, 'installed', options, preceding ?? null)
  if (result.ok) {
    state.accessTokens.revokeAll(installation)
    await tellApp(state, installation, 'enabled')
  } else installation.state = 'failed'
  return result
}

const clashes = (descriptor: AppDescriptor, { dynamicModules }: ConnectInstallation): boolean =>
  dynamicModules.some(({ key }) => descriptor.modules.some(module => module.key === key))

/** What the app has: a refused install left it nothing to check by. */
const acceptedSecret = ({ state, sharedSecret }: ConnectInstallation): string | undefined =>
  state === 'failed' ? undefined : sharedSecret

const newSecret = (state: ConnectState): string => state.random.text(64)
const newClientId = (state: ConnectState): string => state.random.text(24)
