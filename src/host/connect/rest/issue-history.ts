/** What an issue went through and what it is tied to: its changes, attachments, links to other issues and to elsewhere. */

import { readObject, readText } from '../../fields.ts'
import { ApiError } from '../../server/api-error.ts'
import { noContent, type Reply } from '../../server/reply.ts'
import { LINK_TYPES, pick } from '../sites/catalogue.ts'
import type { Attachment, IssueLink } from '../sites/issue.ts'
import type { ConnectState } from '../state.ts'
import { authorOf } from './access.ts'
import { found, readBody } from './body.ts'
import { describeAttachment, describeChange, describeLink } from './issue-json.ts'
import { issueOf, tell } from './issues.ts'
import type { ProductCall, ProductRoute } from './product-route.ts'

const PRODUCTS = ['jira'] as const
const API = '/rest/api/:version'
const ISSUE = `${API}/issue/:issue`

export const issueHistoryRoutes: readonly ProductRoute[] = [
  { products: PRODUCTS, method: 'GET', path: `${ISSUE}/changelog`, scope: 'READ', handle: listChanges },
  { products: PRODUCTS, method: 'POST', path: `${ISSUE}/attachments`, scope: 'WRITE', handle: attach },
  { products: PRODUCTS, method: 'GET', path: `${API}/attachment/content/:attachment`, scope: 'READ', handle: download },
  {
    products: PRODUCTS,
    method: 'GET',
    path: `${API}/attachment/:attachment`,
    scope: 'READ',
    handle: call => ({ status: 200, json: describeAttachment(call.product, attachmentOf(call)) }),
  },
  { products: PRODUCTS, method: 'DELETE', path: `${API}/attachment/:attachment`, scope: 'DELETE', handle: detach },
  { products: PRODUCTS, method: 'POST', path: `${API}/issueLink`, scope: 'WRITE', handle: link },
  {
    products: PRODUCTS,
    method: 'GET',
    path: `${API}/issueLink/:link`,
    scope: 'READ',
    handle: call => ({ status: 200, json: describeLink(call.product, linkOf(call)) }),
  },
  { products: PRODUCTS, method: 'DELETE', path: `${API}/issueLink/:link`, scope: 'DELETE', handle: unlink },
]

/** Oldest first, as the address of its own has it. */
function listChanges(call: ProductCall): Reply {
  const { history } = issueOf(call)
  const start = Math.max(0, Number(call.call.query.get('startAt')) || 0)
  const size = Math.min(100, Number(call.call.query.get('maxResults')) || 100)
  const values = history.slice(start, start + size).map(change => describeChange(call.product, change))
  const isLast = start + size >= history.length
  return { status: 200, json: { startAt: start, maxResults: size, total: history.length, isLast, values } }
}

/** A form with files, and the header by which Jira tells it from a form that a browser was made to send. */
async function attach(call: ProductCall, state: ConnectState): Promise<Reply> {
  const issue = issueOf(call)
  if (call.call.header('x-atlassian-token') !== 'no-check') throw new ApiError(403, 'XSRF check failed')
  const form = await formOf(call)
  const files = [...form.values()].filter(value => typeof value !== 'string')
  const made = await Promise.all(
    files.map(async (file): Promise<Attachment> => {
      const content = Buffer.from(await file.arrayBuffer())
      const mimeType = file.type === '' ? 'application/octet-stream' : file.type
      const id = String(state.random.nextId())
      return { id, filename: file.name, mimeType, content, authorId: authorOf(call), createdAt: state.clock.now() }
    }),
  )
  for (const one of made) issue.attachments.set(one.id, one)
  if (made.length > 0) tell(state, call, 'jira:issue_updated', issue)
  return { status: 200, json: made.map(one => describeAttachment(call.product, one)) }
}

async function formOf({ call }: ProductCall): Promise<FormData> {
  const headers = { 'content-type': call.header('content-type') ?? '' }
  try {
    return await new Response(new Uint8Array(call.body), { headers }).formData()
  } catch {
    throw new ApiError(415, 'The body is not a form with files.')
  }
}

const holderOf = ({ site, param }: ProductCall) =>
  found(
    [...site.issues.values()].find(({ attachments }) => attachments.has(param('attachment'))),
    'attachment',
  )

const attachmentOf = (call: ProductCall): Attachment =>
  found(holderOf(call).attachments.get(call.param('attachment')), 'attachment')

function download(call: ProductCall): Reply {
  const { mimeType, content } = attachmentOf(call)
  return { status: 200, content: { type: mimeType, body: content } }
}

function detach(call: ProductCall): Reply {
  holderOf(call).attachments.delete(call.param('attachment'))
  return noContent
}

function link(call: ProductCall, state: ConnectState): Reply {
  const { site } = call
  const asked = readBody(call, body => {
    const issueIn = (name: string) => {
      const { id, key } = readObject(body[name], name)
      return found(site.findIssue(readText(id ?? key, `${name}.key`)), 'issue')
    }
    return {
      type: found(pick(LINK_TYPES, readObject(body.type, 'type')), 'type of link'),
      inwardIssue: issueIn('inwardIssue'),
      outwardIssue: issueIn('outwardIssue'),
    }
  })
  const id = String(state.random.nextId())
  site.issueLinks.set(id, { id, ...asked })
  return { status: 201 }
}

const linkOf = ({ site, param }: ProductCall): IssueLink => found(site.issueLinks.get(param('link')), 'link')

function unlink(call: ProductCall): Reply {
  call.site.issueLinks.delete(linkOf(call).id)
  return noContent
}
