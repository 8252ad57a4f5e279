/**
 * The shape of a manifest as far as it is acted on (Forge protocol s. 2.2, 2.3; 2026-11). Everything that is not named here is
 * let through and warned about: the platform grows faster than this list.
 */

import { z } from 'zod'

const key = z.string().regex(/^[a-zA-Z0-9_-]+$/, 'a key is made of letters, digits, - and _')
const shortKey = z
  .string()
  .min(1)
  .max(23)
  .regex(/^[a-zA-Z0-9_-]+$/, 'a key is made of letters, digits, - and _')

/** A module runs a function, or an endpoint of a remote. */
const target = { function: key.optional(), endpoint: key.optional() }

export const FILTER = z.looseObject({
  ignoreSelf: z.boolean().optional(),
  appIsLicensed: z.boolean().optional(),
  expression: z.string().optional(),
  onError: z.string().optional(),
})

export const FUNCTION = z.looseObject({
  key,
  handler: z
    .string()
    .regex(
      /^[^.]+\.[A-Za-z_$][\w$]*$/,
      'a handler is "file.export": the file below src/ without its extension, then the export',
    )
    .refine(text => !/(^|\/)\.\.?(\/|$)|\\|^\//.test(text), 'a handler lies below src/'),
  timeoutSeconds: z.number().int().min(1).max(900).optional(),
  runtime: z.looseObject({ memoryMB: z.number().int().min(128).max(4096).optional() }).optional(),
  providers: z.looseObject({ auth: z.array(z.string()).optional() }).optional(),
})

export const WEB_TRIGGER = z.looseObject({
  key,
  ...target,
  urlFormat: z.enum(['v1', 'v2']).optional(),
  request: z.looseObject({ authentication: z.enum(['hmacSharedSecret', 'none']).optional() }).optional(),
  response: z
    .looseObject({
      type: z.enum(['static', 'dynamic']).optional(),
      outputs: z
        .array(
          z.looseObject({
            key: z.string().min(1),
            statusCode: z.number().int().min(100).max(599),
            contentType: z.string().optional(),
            body: z.string().optional(),
          }),
        )
        .optional(),
    })
    .optional(),
})

export const SCHEDULED_TRIGGER = z.looseObject({
  key,
  ...target,
  interval: z.enum(['fiveMinute', 'hour', 'day', 'week']),
  filter: FILTER.optional(),
})

export const TRIGGER = z.looseObject({
  key,
  ...target,
  events: z
    .array(
      z.union([
        z.string().min(1),
        z.looseObject({ eventType: z.string().min(1), filter: FILTER.optional(), payload: z.unknown().optional() }),
      ]),
    )
    .min(1),
  filter: FILTER.optional(),
  payload: z.unknown().optional(),
})

export const CONSUMER = z.looseObject({
  key,
  queue: z
    .string()
    .min(1)
    .max(36)
    .regex(/^[a-zA-Z0-9-_]+$/, 'a queue is named by letters, digits, - and _'),
  ...target,
  resolver: z.looseObject({ function: key, method: z.string().min(1) }).optional(),
})

export const PRE_UNINSTALL = z.looseObject({ key, ...target })

export const UI_MODULE = z.looseObject({
  key: key.optional(),
  title: z.unknown().optional(),
  resource: z.string().optional(),
  resolver: z.looseObject(target).optional(),
  function: z.string().optional(),
})

const attributeType = z.enum(['string', 'boolean', 'float', 'integer', 'any'])
const attributeName = z
  .string()
  .max(30)
  .regex(/^[_A-Za-z][_0-9A-Za-z]*$/, 'an attribute is named by letters, digits and _')

export const ENTITY = z.looseObject({
  name: z
    .string()
    .min(3)
    .max(60)
    .regex(/^(?![-_.])(?!.*\.\.)[a-z0-9:\-_.]*[a-z0-9:\-_]$/, 'an entity is named by a-z, 0-9, : - _ and .'),
  attributes: z
    .record(attributeName, z.looseObject({ type: attributeType }))
    .refine(attributes => Object.keys(attributes).length <= 50, 'an entity has at most 50 attributes'),
  indexes: z
    .array(
      z.union([
        attributeName,
        z.looseObject({
          name: z.string().min(3).max(50),
          range: z.array(attributeName).length(1, 'the range of an index is one attribute'),
          partition: z.array(attributeName).optional(),
        }),
      ]),
    )
    .max(7, 'an entity has at most 7 indexes')
    .optional(),
})

const address = z.union([
  z.string().min(1),
  z.looseObject({ address: z.string().min(1) }),
  z.looseObject({ remote: z.string().min(1) }),
])

const scopes = z.union([z.array(z.string().min(1)), z.record(z.string().min(1), z.unknown())])

export const MANIFEST = z.looseObject({
  app: z
    .looseObject({
      id: z.string().max(200).nullable().optional(),
      name: z.string().optional(),
      description: z.string().max(1000).optional(),
      runtime: z
        .looseObject({
          name: z.string().optional(),
          memoryMB: z.number().int().min(128).max(4096).optional(),
          architecture: z.enum(['x86_64', 'arm64']).optional(),
        })
        .optional(),
      storage: z
        .looseObject({ entities: z.array(ENTITY).max(20, 'an app has at most 20 entities').optional() })
        .optional(),
      connect: z
        .looseObject({
          key: z
            .string()
            .max(90)
            .regex(/^[a-zA-Z0-9-._]+$/, 'the key of a Connect app'),
        })
        .optional(),
      package: z
        .looseObject({
          bundler: z.string().optional(),
          path: z.string().optional(),
          extraFiles: z.array(z.string()).optional(),
        })
        .optional(),
    })
    .nullish()
    .transform(app => app ?? {}),
  modules: z
    .record(z.string(), z.array(z.looseObject({})).nullable())
    .nullable()
    .optional(),
  permissions: z
    .looseObject({
      scopes: scopes.nullable().optional(),
      external: z
        .looseObject({
          fetch: z
            .looseObject({ backend: z.array(address).optional() })
            .nullable()
            .optional(),
        })
        .nullable()
        .optional(),
    })
    .nullable()
    .optional(),
  resources: z
    .array(z.looseObject({ key: shortKey, path: z.string().min(1) }))
    .nullable()
    .optional(),
  remotes: z
    .array(
      z.looseObject({
        key: shortKey,
        baseUrl: z.union([z.string(), z.record(z.string(), z.string())]),
        operations: z.array(z.string()).optional(),
        auth: z
          .looseObject({
            appSystemToken: z.looseObject({ enabled: z.boolean().optional() }).optional(),
            appUserToken: z.looseObject({ enabled: z.boolean().optional() }).optional(),
          })
          .optional(),
      }),
    )
    .nullable()
    .optional(),
  translations: z
    .looseObject({
      resources: z.array(z.looseObject({ key: z.string().regex(/^[a-z]{2}-[A-Z]{2}$/), path: z.string().min(1) })),
      fallback: z.record(z.string(), z.unknown()).optional(),
    })
    .nullable()
    .optional(),
  environment: z
    .looseObject({
      variables: z
        .array(z.union([z.string(), z.looseObject({ key: z.string(), default: z.string().optional() })]))
        .optional(),
    })
    .nullable()
    .optional(),
})

export type GivenManifest = z.infer<typeof MANIFEST>

export const TOP_LEVEL = [
  'app',
  'modules',
  'permissions',
  'resources',
  'remotes',
  'providers',
  'environment',
  'translations',
  'services',
  'connectModules',
  'overrides',
]

/** Modules that the platform runs. */
export const MODULE_SCHEMAS = {
  function: FUNCTION,
  webtrigger: WEB_TRIGGER,
  scheduledTrigger: SCHEDULED_TRIGGER,
  trigger: TRIGGER,
  consumer: CONSUMER,
  preUninstall: PRE_UNINSTALL,
} as const

/** Modules that are known and answered with ERR_FORGE_NOT_SIMULATED where the app uses them. */
export const NOT_SIMULATED_MODULES = new Set([
  'sql',
  'objectStore',
  'llm',
  'event',
  'apiRoute',
  'fifoConsumer',
  'endpoint',
  'migration',
  'migration:dataResidency',
  'rovo:agent',
  'action',
  'automation:actionProvider',
])

/** Types of modules that show something. */
export const UI_MODULE_TYPE =
  /^(?:macro|(?:jira|confluence|bitbucket|compass|jiraServiceManagement|global|dashboards|rovo|teamworkGraph|graph|automation|common)[:A-Za-z]*)$/
