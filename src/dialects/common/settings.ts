/**
 * Readers for what an author says about an add-on: texts, paths, hosts, numbers. Each returns the value in the one form that the
 * rest of a dialect reads, or says what is wrong. Which options there are is the dialect's matter.
 */

import { PartywallError } from '../../core/errors.ts'

const MAX_TEXT_LENGTH = 1_000

/** @throws PartywallError ERR_DESCRIPTOR_INVALID */
export function readText(value: unknown, name: string): string {
  if (typeof value === 'string' && value.trim() !== '' && value.length <= MAX_TEXT_LENGTH) return value
  throw invalidDescriptor(`${name} must be a text of 1 to 1,000 characters`)
}

/** Empty, or segments that a router matches exactly. @throws PartywallError ERR_DESCRIPTOR_INVALID */
export function readPath(path: string, name: string): string {
  if (/^(?:\/[A-Za-z0-9._~-]+)*$/.test(path) && !/\/\.{1,2}(?:\/|$)/.test(path)) return path
  throw invalidDescriptor(`${name} must be segments of letters, digits and ._~- that start with a slash`)
}

/**
 * `host[:port]` as the URL parser writes it: lower-case, default port left out; `*.` in front stays, by https alone.
 * @throws PartywallError ERR_CONFIG
 */
export function readHost(host: string, scheme: 'http' | 'https'): string {
  const label = host.startsWith('*.') ? '*.' : ''
  const rest = host.slice(label.length)
  const url = `${scheme}://${rest}/`
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  const isPlain = parsed !== undefined && parsed.href === `${parsed.origin}/` && !/[\s/?#@\\*]/.test(rest)
  if (isPlain && parsed.host !== '' && !(label !== '' && scheme === 'http')) return label + parsed.host
  throw new PartywallError('ERR_CONFIG', {
    message: `${host} is not host[:port]; a star may stand for the first label`,
  })
}

/** @throws PartywallError ERR_CONFIG */
export function readNumber(value: number, name: string, least: number, most: number): number {
  if (Number.isFinite(value) && value >= least && value <= most) return value
  throw new PartywallError('ERR_CONFIG', { message: `${name} must be a number from ${least} to ${most}` })
}

/** Minutes above 0 and at most a day, as whole seconds. @throws PartywallError ERR_CONFIG */
export function readMinutes(minutes: number, name: string): number {
  if (Number.isFinite(minutes) && minutes > 0 && minutes <= 24 * 60) return Math.round(minutes * 60)
  throw new PartywallError('ERR_CONFIG', { message: `${name} must be minutes above 0 and at most one day` })
}

export const invalidDescriptor = (message: string) => new PartywallError('ERR_DESCRIPTOR_INVALID', { message })
