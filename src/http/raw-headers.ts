/**
 * Headers of a request as they arrived. `request.headers` is made of them only when somebody asks for it, which costs more than all
 * that is looked up here; and it drops what came twice.
 */

import type { IncomingMessage } from 'node:http'

/** Every value of a header by lower-case name, in the order of arrival. */
export function rawHeaderValues({ rawHeaders }: Pick<IncomingMessage, 'rawHeaders'>, name: string): readonly string[] {
  const values: string[] = []
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const candidate = rawHeaders[index]
    if (candidate?.length === name.length && candidate.toLowerCase() === name) values.push(rawHeaders[index + 1] ?? '')
  }
  return values
}

/** The values joined by `, `; `undefined` without the header. */
export function rawHeader(request: Pick<IncomingMessage, 'rawHeaders'>, name: string): string | undefined {
  const values = rawHeaderValues(request, name)
  return values.length < 2 ? values[0] : values.join(', ')
}

/** Names of all headers, in lower case, each once, in the order of arrival. */
export function rawHeaderNames({ rawHeaders }: Pick<IncomingMessage, 'rawHeaders'>): readonly string[] {
  const names = new Set<string>()
  for (let index = 0; index < rawHeaders.length; index += 2) names.add((rawHeaders[index] ?? '').toLowerCase())
  return [...names]
}
