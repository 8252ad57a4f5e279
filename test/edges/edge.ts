/** An edge of the protocol: what must be answered there, and whether the framework of before does. */

import assert from 'node:assert/strict'
import type { Target } from './target.ts'

export interface Edge {
  /** What is sent, or what has happened, as a sentence without its end. */
  readonly name: string
  /** Whether atlassian-connect-express 11.5.3 answers rightly, as measured. */
  readonly peer: 'right' | 'wrong'
  /** Why ours differs where both answers can be called right. */
  readonly note?: string
  /** @throws AssertionError when the answer is wrong */
  run(target: Target): Promise<void>
}

export async function answers(response: Response | Promise<Response>, status: number): Promise<string> {
  const got = await response
  const text = await got.text()
  assert.equal(got.status, status, `${got.status} instead of ${status}`)
  return text
}

export const isSaved = (response: Response | Promise<Response>) => answers(response, 204)
export const isRefused = (response: Response | Promise<Response>) => answers(response, 401)

/** The page of this tenant and nobody else's. */
export async function isPageOf(response: Response | Promise<Response>, clientKey: string): Promise<Page> {
  const page = JSON.parse(await answers(response, 200)) as Page
  assert.equal(page.tenant, clientKey, 'the page of another tenant')
  return page
}
export interface Page {
  readonly tenant: string
  readonly token: string
}
