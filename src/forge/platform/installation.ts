/**
 * What the registry holds of an installation, as the platform reads it: the site, the major version that was consented to, the
 * license. Reading and writing of these attributes happens here and nowhere else.
 */

import { PartywallError } from '../../core/errors.ts'
import type { IdentityRecord, JsonObject, JsonValue } from '../../core/tenant.ts'
import type { Site } from '../services.ts'

export interface Installation {
  readonly id: string
  readonly site: Site
  /** The major version that the site's administrator agreed to. */
  readonly major: number
  readonly installerAccountId: string | undefined
  readonly license: JsonValue | undefined
  readonly identity: IdentityRecord
}

export interface SiteInput {
  /** `https://example.atlassian.net`, or a simulated site's. */
  readonly url: string
  readonly product?: Site['product']
  /** UUID; default one made of the URL, so that a site keeps its own over restarts. */
  readonly cloudId?: string
}

const PRODUCTS: readonly Site['product'][] = ['jira', 'confluence', 'bitbucket']
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** @throws ERR_FORGE_SITE_INVALID */
export function readSite(input: SiteInput, cloudIdOf: (url: string) => string): Site {
  const { product = 'jira' } = input
  const url = URL.canParse(input.url) ? new URL(input.url) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.search !== '') {
    throw invalid('the URL of a site is http or https, without user and query')
  }
  if (!PRODUCTS.includes(product)) throw invalid(`a site's product is one of ${PRODUCTS.join(', ')}`)
  const place = url.href.replace(/\/+$/, '')
  const cloudId = (input.cloudId ?? cloudIdOf(place)).toLowerCase()
  if (!UUID.test(cloudId)) throw invalid('a cloudId is a UUID')
  const kind = product === 'bitbucket' ? 'workspace' : 'site'
  return {
    product,
    cloudId,
    contextAri: `ari:cloud:${product}::${kind}/${cloudId}`,
    url: place,
  }
}

export type InstallationFacts = Pick<Installation, 'site' | 'major' | 'installerAccountId' | 'license'>

export const attributesOf = ({ site, major, installerAccountId, license }: InstallationFacts): JsonObject => ({
  site: { ...site },
  major,
  ...(installerAccountId === undefined ? {} : { installerAccountId }),
  ...(license === undefined ? {} : { license }),
})

const known = new WeakMap<IdentityRecord, Installation>()

/** Of an identity of the dialect `forge`, whose attributes `attributesOf` wrote. */
export function installationOf(identity: IdentityRecord): Installation {
  const found = known.get(identity)
  if (found !== undefined) return found
  const { site, major, installerAccountId, license } = identity.attributes as unknown as InstallationFacts
  const made: Installation = { id: identity.externalId, site, major, installerAccountId, license, identity }
  known.set(identity, made)
  return made
}

const invalid = (message: string) => new PartywallError('ERR_FORGE_SITE_INVALID', { message })
