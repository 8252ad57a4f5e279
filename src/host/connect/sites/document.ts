/** Atlassian's document format and plain text, each from the other: what the third version of Jira's API and the second one show. */

interface Node {
  readonly type?: unknown
  readonly text?: unknown
  readonly content?: unknown
  readonly attrs?: { readonly text?: unknown }
}

/** Nodes that end a line. */
const BLOCKS = new Set(['paragraph', 'heading', 'listItem', 'codeBlock', 'blockquote', 'panel', 'tableRow', 'rule'])

/** The words of a document; plain text stays. */
export function textOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return value === undefined || value === null ? '' : String(value)
  return nodeText(value).trim()
}

function nodeText(value: object): string {
  const { type, text, content, attrs } = value as Node
  if (typeof text === 'string') return text
  if (type === 'hardBreak') return '\n'
  if (typeof attrs?.text === 'string') return attrs.text
  const inner = Array.isArray(content) ? content.map(one => nodeText(Object(one))).join('') : ''
  return BLOCKS.has(String(type)) ? `${inner}\n` : inner
}

/** A paragraph for each line; a document stays. `null` and nothing stay. */
export function documentOf(value: unknown): unknown {
  if (typeof value !== 'string') return value
  const paragraphs = value.split('\n').map(line => ({
    type: 'paragraph',
    content: line === '' ? [] : [{ type: 'text', text: line }],
  }))
  return { type: 'doc', version: 1, content: paragraphs }
}

/** As version 2 or 3 of the API shows a text. */
export const shownText = (value: unknown, version: string | undefined): unknown => {
  if (value === undefined || value === null) return value ?? null
  return version === '2' ? textOf(value) : documentOf(value)
}
