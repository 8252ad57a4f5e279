/** Clients with their first argument bound: the room, or the person. */

/** The same methods without their first argument. */
export type Bound<Methods> = {
  readonly [Name in keyof Methods]: Methods[Name] extends (target: never, ...rest: infer Rest) => infer Result
    ? (...rest: Rest) => Result
    : never
}

type Method<Target> = (target: Target, ...rest: unknown[]) => unknown

export function bindFirst<Target, Methods extends object>(methods: Methods, target: Target): Bound<Methods> {
  const bound = Object.entries(methods as Readonly<Record<string, Method<Target>>>).map(([name, method]) => [
    name,
    (...rest: unknown[]) => method(target, ...rest),
  ])
  // What `Object.fromEntries` cannot say: every name has its own arguments and result.
  return Object.fromEntries(bound) as Bound<Methods>
}
