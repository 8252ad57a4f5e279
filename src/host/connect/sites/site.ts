/** A site: a name in an address, its people, its products, and what they hold. */

import type { ConnectState } from '../state.ts'
import { keptFields, NEW_FIELDS } from './change-issue.ts'
import type { Content, ContentSpec, Space } from './content.ts'
import type { Issue, IssueLink, IssueSpec, Project } from './issue.ts'
import { Product, type ProductType } from './product.ts'
import { ConnectUser, type ConnectUserSpec } from './user.ts'

const TASK = { id: '10001', name: 'Task' }

export class Site {
  readonly cloudId: string
  readonly jira: Product
  readonly confluence: Product
  /** Bitbucket's older model; an account rather than a product of the site. */
  readonly bitbucket: Product
  readonly users = new Map<string, ConnectUser>()
  readonly projects = new Map<string, Project>()
  /** By id. */
  readonly issues = new Map<string, Issue>()
  /** By id. */
  readonly issueLinks = new Map<string, IssueLink>()
  readonly spaces = new Map<string, Space>()
  /** By id. */
  readonly contents = new Map<string, Content>()
  readonly #state: ConnectState
  #name: string
  #isDeleted = false

  constructor(state: ConnectState, name: string) {
    this.#state = state
    this.#name = name
    this.cloudId = state.random.uuid()
    const product = (type: ProductType) => new Product(type, this, state.random.uuid())
    this.jira = product('jira')
    this.confluence = product('confluence')
    this.bitbucket = product('bitbucket')
  }

  get name(): string {
    return this.#name
  }
  /** Without trailing slash. */
  get url(): string {
    return `${this.#state.url}/${this.#name}`
  }
  get isDeleted(): boolean {
    return this.#isDeleted
  }

  /** A new address, the same tenants. Apps hear of it by `installed` again: `installation.reinstall()`. */
  rename(name: string): void {
    checkName(this.#state, name)
    this.#state.sites.delete(this.#name)
    this.#name = name
    this.#state.sites.set(name, this)
  }

  /** Its addresses answer 404 from now on, and no app hears of it. */
  delete(): void {
    this.#isDeleted = true
    this.#state.sites.delete(this.#name)
    this.#state.deliveries.drop(({ product }) => product.site === this)
  }

  /** Properties that Forge apps keep of themselves, by the app's id. */
  readonly forgeProperties = new Map<string, Map<string, unknown>>()

  createUser(spec: ConnectUserSpec): ConnectUser {
    const user = new ConnectUser(`712020:${this.#state.random.uuid()}`, spec)
    this.users.set(user.accountId, user)
    return user
  }

  createProject(spec: { readonly key: string; readonly name?: string }): Project {
    const project = { id: this.#nextId(), key: spec.key, name: spec.name ?? spec.key, properties: new Map() }
    this.projects.set(project.key, project)
    return project
  }

  /** Tells no app; `jira.fire` or the REST call does. */
  createIssue(project: Project, spec: IssueSpec): Issue {
    const id = this.#nextId()
    const number = [...this.issues.values()].filter(issue => issue.project === project).length + 1
    const now = this.#state.clock.now()
    const issue: Issue = {
      id,
      key: `${project.key}-${number}`,
      project,
      issueType: spec.issueType ?? TASK,
      fields: { ...NEW_FIELDS, ...keptFields({ ...spec.fields, summary: spec.summary }) },
      creatorId: spec.creatorId,
      createdAt: now,
      updatedAt: now,
      history: [],
      comments: new Map(),
      properties: new Map(),
      watchers: new Set<string>(),
      worklogs: new Map(),
      attachments: new Map(),
    }
    this.issues.set(id, issue)
    return issue
  }

  createSpace(spec: { readonly key: string; readonly name?: string }): Space {
    const space = { id: this.#nextId(), key: spec.key, name: spec.name ?? spec.key, properties: new Map() }
    this.spaces.set(space.key, space)
    return space
  }

  createContent(space: Space, { title, body = '', type = 'page', parent, authorId }: ContentSpec): Content {
    const now = this.#state.clock.now()
    const content: Content = {
      id: this.#nextId(),
      type,
      space,
      title,
      version: 1,
      body,
      parent,
      authorId,
      createdAt: now,
      updatedAt: now,
      properties: new Map(),
      labels: new Set<string>(),
      comments: new Map(),
    }
    this.contents.set(content.id, content)
    return content
  }

  /** By id or key. */
  findIssue(idOrKey: string): Issue | undefined {
    return this.issues.get(idOrKey) ?? [...this.issues.values()].find(({ key }) => key === idOrKey)
  }

  #nextId(): string {
    return String(this.#state.random.nextId())
  }
}

/** @throws TypeError for a name that is taken, or cannot stand in an address */
export function checkName(state: ConnectState, name: string): void {
  if (!/^[a-z0-9][a-z0-9-]{0,62}$/.test(name) || RESERVED.has(name))
    throw new TypeError(`not a name of a site: ${name}`)
  if (state.sites.has(name)) throw new TypeError(`there is a site ${name} already`)
}
/** The host's own first path segments. */
const RESERVED = new Set(['keys', 'oauth2', 'site', 'frame'])
