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
  readonly properties: Map<string, ContentProperty>
}

export interface ContentProperty {
  readonly value: unknown
  readonly version: number
}

export interface ContentSpec {
  readonly title: string
  readonly body?: string
  readonly type?: 'page' | 'blogpost'
}
