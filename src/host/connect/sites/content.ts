/** Confluence's things: spaces and their content. */

export interface Space {
  readonly id: string
  readonly key: string
  readonly name: string
  readonly properties: Map<string, unknown>
}

export interface Content {
  readonly id: string
  readonly type: 'page' | 'blogpost'
  readonly space: Space
  title: string
  version: number
  /** Storage format. */
  body: string
  parent: Content | undefined
  /** Account that made it. */
  readonly authorId: string | undefined
  /** Epoch milliseconds. */
  readonly createdAt: number
  updatedAt: number
  readonly properties: Map<string, ContentProperty>
  readonly labels: Set<string>
  readonly comments: Map<string, ContentComment>
}

export interface ContentComment {
  readonly id: string
  readonly authorId: string | undefined
  /** Storage format. */
  readonly body: string
}

export interface ContentProperty {
  /** Of the newer API, which names properties by ids. */
  readonly id?: string
  readonly value: unknown
  readonly version: number
}

export interface ContentSpec {
  readonly title: string
  readonly body?: string
  readonly type?: 'page' | 'blogpost'
  readonly parent?: Content | undefined
  /** Account that makes it. */
  readonly authorId?: string | undefined
}

/** From the top of the space down. */
export function ancestorsOf(content: Content): readonly Content[] {
  return content.parent === undefined ? [] : [...ancestorsOf(content.parent), content.parent]
}
