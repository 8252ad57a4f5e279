/** Bytes into JSON and back: text where they are UTF-8, which most bodies are, else base64. */

import { isUtf8 } from 'node:buffer'
import type { WireBody } from './protocol.ts'

export const toWire = (bytes: Buffer): WireBody =>
  isUtf8(bytes) ? { text: bytes.toString('utf8') } : { base64: bytes.toString('base64') }

export const fromWire = (body: WireBody): Buffer =>
  'text' in body ? Buffer.from(body.text, 'utf8') : Buffer.from(body.base64, 'base64')
