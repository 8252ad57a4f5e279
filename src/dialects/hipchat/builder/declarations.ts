/**
 * The capabilities an add-on has declared, checked and in the wire's form: those of a given descriptor and those of its builder.
 *
 * Webhooks are not here, since they have handlers: `webhook-definitions.ts`.
 */

import { invalidAt, parseAt } from '../../common/parse.ts'
import type { Shapes } from './shapes.ts'

/** At most one of each in a descriptor. */
const SINGLE_KINDS = ['configurable', 'adminPage', 'oauth2Consumer'] as const
const LISTED_KINDS = ['glance', 'webPanel', 'dialog', 'action', 'externalPage', 'command'] as const
type SingleKind = (typeof SINGLE_KINDS)[number]
type ListedKind = (typeof LISTED_KINDS)[number]
export type CapabilityKind = SingleKind | ListedKind

/** Who says it: what the builder says takes the place of what the given descriptor says, and of nothing else. */
export type Source = 'descriptor' | 'builder'

export interface Declarations {
  /** @throws PartywallError ERR_DESCRIPTOR_INVALID naming the field, such as `glance[1].key` */
  declare(kind: CapabilityKind, definition: unknown, source: Source): void
  /** Where in the descriptor a definition will stand: `configurable`, `glance[1]`. */
  placeOf(kind: CapabilityKind, definition: unknown, source: Source): string
  /** Capabilities by name, for the descriptor. */
  all(): Readonly<Record<string, unknown>>
}

interface Entry {
  readonly value: Readonly<Record<string, unknown>>
  readonly source: Source
}

export function createDeclarations(shapes: Shapes): Declarations {
  const entries = new Map<CapabilityKind, Entry[]>()
  const entriesOf = (kind: CapabilityKind): readonly Entry[] => entries.get(kind) ?? []

  const indexOf = (kind: CapabilityKind, definition: unknown, source: Source): number => {
    const list = entriesOf(kind)
    const replaced = list.findIndex(entry => isReplaced(entry, source) && isSame(kind, entry.value, definition))
    if (replaced >= 0) return replaced
    return isSingle(kind) ? 0 : list.length
  }
  const placeOf: Declarations['placeOf'] = (kind, definition, source) =>
    isSingle(kind) ? kind : `${kind}[${indexOf(kind, definition, source)}]`

  return {
    placeOf,
    declare(kind, definition, source) {
      const place = placeOf(kind, definition, source)
      const value = parseAt<Entry['value']>(place, shapes[kind], definition)
      const list = entriesOf(kind)
      if (list.some(entry => !isReplaced(entry, source) && isSame(kind, entry.value, value))) throw twice(kind, place)
      entries.set(kind, list.toSpliced(indexOf(kind, value, source), 1, { value, source }))
    },
    all: () =>
      Object.fromEntries(
        [...SINGLE_KINDS, ...LISTED_KINDS].flatMap(kind => {
          const values = entriesOf(kind).map(({ value }) => value)
          return values.length === 0 ? [] : [[kind, isSingle(kind) ? values[0] : values]]
        }),
      ),
  }
}

const isReplaced = (entry: Entry, source: Source): boolean => entry.source === 'descriptor' && source === 'builder'

export const isCapabilityKind = (name: string): name is CapabilityKind =>
  [...SINGLE_KINDS, ...LISTED_KINDS].some(kind => kind === name)

const isSingle = (kind: CapabilityKind): kind is SingleKind => SINGLE_KINDS.some(single => single === kind)

function isSame(kind: CapabilityKind, one: unknown, other: unknown): boolean {
  if (isSingle(kind)) return true
  const field = kind === 'command' ? 'name' : 'key'
  const id = textField(one, field)
  return id !== undefined && id === textField(other, field)
}

function textField(value: unknown, field: 'key' | 'name'): string | undefined {
  const found = typeof value === 'object' && value !== null && field in value ? Reflect.get(value, field) : undefined
  return typeof found === 'string' ? found : undefined
}

const twice = (kind: CapabilityKind, place: string) =>
  isSingle(kind)
    ? invalidAt(place, 'declared twice')
    : invalidAt(`${place}.${kind === 'command' ? 'name' : 'key'}`, `another ${kind} has it`)
