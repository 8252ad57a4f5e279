/**
 * What the user of a request may do in the product (protocol s. 4.6): asked at the product, for ids of the signed context alone.
 * A token proves who somebody is, never a permission; whatever is missing here is a refusal.
 */

import * as z from 'zod'
import { PartywallError } from '../../core/errors.ts'
import { segment } from '../common/address.ts'
import type { Authentication } from '../common/authentication.ts'
import { checkAnswer, invalidField } from '../common/check.ts'
import type { Exchange } from './host-api.ts'

export interface JiraPermissions {
  /** Of the issue or project of the signed context, such as `EDIT_ISSUES`; all of them are needed. */
  readonly project?: readonly string[]
  /** Such as `ADMINISTER`; all of them are needed. */
  readonly global?: readonly string[]
}

/** Resolve when the user may; else @throws PartywallError ERR_PERMISSION_MISSING (403), and as of `Exchange` */
export interface Permissions {
  authorizeJira(needed: JiraPermissions): Promise<void>
  /** @param needed.content  operation on the content of the signed context: `read`, `update`, `delete` */
  authorizeConfluence(needed: { readonly content: string }): Promise<void>
}

type Signed = Pick<Authentication, 'userId' | 'context'>

const PERMISSION = /^[A-Za-z][\w.:-]{0,254}$/
const id = z.union([z.number().int(), z.string().regex(/^\d{1,15}$/)]).transform(Number)
const entity = z.looseObject({ id }).optional()
const contextShape = z.looseObject({
  jira: z.looseObject({ issue: entity, project: entity }).optional(),
  confluence: z.looseObject({ content: entity }).optional(),
})
const jiraShape = z.looseObject({
  globalPermissions: z.array(z.string()).default([]),
  projectPermissions: z
    .array(
      z.looseObject({ permission: z.string(), issues: z.array(id).default([]), projects: z.array(id).default([]) }),
    )
    .default([]),
})
type JiraAnswer = z.output<typeof jiraShape>
const confluenceShape = z.looseObject({ hasPermission: z.boolean() })

export function createPermissions(exchange: Exchange, signed: Signed): Permissions {
  const accountId = () => signed.userId ?? refuse('no user')
  const ask = async (path: string, body: object) =>
    (await exchange('POST', path, { body, expect: [200], scope: 'READ' })).body
  return {
    async authorizeJira({ project = [], global = [] }) {
      checkNames([...project, ...global])
      const place = project.length === 0 ? undefined : placeOf(signed)
      const answer = await ask('/rest/api/3/permissions/check', {
        accountId: accountId(),
        globalPermissions: global,
        projectPermissions: place === undefined ? [] : [{ permissions: project, ...place }],
      })
      const granted = checkAnswer(jiraShape, answer)
      const isGranted =
        global.every(name => granted.globalPermissions.includes(name)) &&
        project.every(name => place !== undefined && hasProject(granted, name, place))
      if (!isGranted) refuse('the product says no')
    },
    async authorizeConfluence({ content }) {
      checkNames([content])
      const contentId = contextOf(signed)?.confluence?.content?.id ?? refuse('no content')
      const body = { subject: { type: 'user', identifier: accountId() }, operation: content }
      const answer = await ask(`/rest/api/content/${segment(contentId)}/permission/check`, body)
      if (!checkAnswer(confluenceShape, answer).hasPermission) refuse('the product says no')
    },
  }
}

interface Place {
  readonly issues: readonly number[]
  readonly projects: readonly number[]
}

/** The issue where there is one, since it may be seen by fewer than its project. */
function placeOf(signed: Signed): Place {
  const { issue, project } = contextOf(signed)?.jira ?? {}
  if (issue !== undefined) return { issues: [issue.id], projects: [] }
  return { issues: [], projects: [project?.id ?? refuse('no issue and no project')] }
}

const hasProject = ({ projectPermissions }: JiraAnswer, name: string, place: Place): boolean =>
  projectPermissions.some(
    ({ permission, issues, projects }) =>
      permission === name &&
      place.issues.every(issue => issues.includes(issue)) &&
      place.projects.every(project => projects.includes(project)),
  )

function contextOf({ context }: Signed): z.output<typeof contextShape> | undefined {
  const read = contextShape.safeParse(context)
  return read.success ? read.data : undefined
}

/** A check for nothing would let everybody pass. */
function checkNames(names: readonly string[]): void {
  const areNames =
    names.length > 0 && names.length <= 100 && names.every(name => typeof name === 'string' && PERMISSION.test(name))
  if (!areNames) throw invalidField('permissions', '1 to 100 names of permissions', 'the check')
}

function refuse(reason: string): never {
  throw new PartywallError('ERR_PERMISSION_MISSING', { details: { reason } })
}
