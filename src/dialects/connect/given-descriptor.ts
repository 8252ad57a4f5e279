/**
 * A descriptor that an author wrote as a file: templates filled, every field read once. What options say too they are taken as;
 * the rest is published as it stands.
 */

import * as z from 'zod'
import type { Logger } from '../../core/ports.ts'
import type { JsonObject, JsonValue } from '../../core/tenant.ts'
import { invalidDescriptor } from '../common/settings.ts'
import type { ConnectAddonOptions } from './options.ts'

export interface GivenDescriptor {
  /** What it says in place of options. */
  readonly options: Partial<ConnectAddonOptions>
  /** What no option says; published. */
  readonly kept: JsonObject
  readonly modules: JsonObject
}

const url = z.string().min(1)
const shape = z.looseObject({
  key: z.string().optional(),
  baseUrl: z.string().optional(),
  name: z.string().optional(),
  description: z.string().optional(),
  vendor: z.strictObject({ name: z.string().optional(), url: url.optional() }).optional(),
  links: z.record(z.string(), z.string()).optional(),
  authentication: z
    .looseObject({ type: z.string().regex(/^jwt$/i, 'must be jwt: without it there is no tenant') })
    .optional(),
  lifecycle: z.record(z.string(), z.string().regex(/^\/(?!\/)/, 'must be a relative path')).optional(),
  scopes: z.array(z.string()).optional(),
  apiVersion: z.int().min(1).optional(),
  apiMigrations: z.record(z.string(), z.boolean()).optional(),
  enableLicensing: z.boolean().optional(),
  editionsEnabled: z.boolean().optional(),
  modules: z.record(z.string(), z.json()).optional(),
  translations: z.looseObject({ paths: z.record(z.string(), z.string()) }).optional(),
  regionBaseUrls: z.record(z.string(), url).optional(),
  dataResidency: z.looseObject({ maxMigrationDurationHours: z.number().min(0.5).max(24).optional() }).optional(),
  cloudAppMigration: z.looseObject({ migrationWebhookPath: z.string() }).optional(),
  contexts: z.array(z.string()).optional(),
  forgeAppLink: z.string().optional(),
  forgeAppId: z.string().optional(),
})
/** Ours alone, whatever a file says. */
const OURS = ['baseUrl', 'lifecycle', 'authentication']
const AS_OPTIONS = ['key', 'name', 'description', 'vendor', 'scopes', 'apiVersion', 'enableLicensing', 'regionBaseUrls']

/** @throws PartywallError ERR_DESCRIPTOR_INVALID naming the path */
export function readGivenDescriptor(descriptor: JsonObject, logger: Pick<Logger, 'warn'>): GivenDescriptor {
  const read = shape.safeParse(descriptor)
  if (!read.success) {
    const [issue] = read.error.issues
    throw invalidDescriptor(`descriptor.${issue?.path.join('.')}: ${issue?.message}`)
  }
  const unknown = Object.keys(descriptor).filter(name => !Object.hasOwn(shape.shape, name))
  if (unknown.length > 0) logger.warn('descriptor-fields-unknown', { fields: unknown.join(', ') })
  const { modules = {}, links } = read.data
  const entries = Object.entries(descriptor)
  const asOptions = entries.filter(([name]) => AS_OPTIONS.includes(name))
  return {
    // Checked again as options, by the same code as those of an author.
    options: {
      ...Object.fromEntries(asOptions),
      ...(links?.homepage === undefined ? {} : { homepage: links.homepage }),
    },
    kept: Object.fromEntries(entries.filter(([name]) => ![...AS_OPTIONS, ...OURS, 'modules'].includes(name))),
    modules: modules as JsonObject,
  }
}

/** Fills every `{{name}}` in every text. @throws PartywallError ERR_DESCRIPTOR_INVALID for a name without a value */
export function fillTemplates(
  value: JsonValue,
  values: Readonly<Record<string, string>>,
  path = 'descriptor',
): JsonValue {
  if (typeof value === 'string') return fillText(value, values, path)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((item, index) => fillTemplates(item, values, `${path}[${index}]`))
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, fillTemplates(item, values, `${path}.${name}`)]),
  )
}

const fillText = (text: string, values: Readonly<Record<string, string>>, path: string): string =>
  text.replace(/\{\{\s*([A-Za-z0-9_.-]+)\s*\}\}/g, (_, name: string) => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined
    if (value === undefined) throw invalidDescriptor(`${path}: nothing is given for {{${name}}}`)
    return value
  })
